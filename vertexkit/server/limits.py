"""Limits and timeouts of connections from clients, beside those that are settings."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from vertexkit.settings import Settings

resource: ModuleType | None = import_module("resource") if find_spec("resource") else None
"""The standard library's module, which does not exist on Windows."""

IDLE_TIMEOUT_SECONDS = 75
"""Time for which an idle connection stays open between two requests. Longer than the usual proxy
keeps its end: otherwise a proxy would send a call into a connection that is being closed."""
LINGER_SECONDS = 5.0
"""Time for which the rest of a rejected request is read and discarded. A client that is still
sending would not see the response otherwise, because closing a socket resets its end."""
LINGER_BYTES = 16 * 1024 * 1024
"""Bytes of a rejected request that are read and discarded."""
MAX_HEADER_FIELDS = 100
"""Header fields of one request."""
BODY_OVERHEAD_FACTOR = 2
"""Bytes received for each byte that a body may have. A large body in small chunks takes more time
to parse than a call is worth."""
MAX_PIPELINED_REQUESTS = 32
"""Requests that wait for another one on the same connection."""
UNLIMITED_FILES = 1_000_000
"""Number of file descriptors assumed if the system has no limit."""
RESERVED_FILES = 256
"""File descriptors for everything except connections."""
MIN_CONNECTIONS = 16
"""Connections from clients that are accepted even if file descriptors are scarce."""


def max_connections(settings: Settings) -> int:
    """The number of connections from clients that this process accepts.

    Args:
        settings: `clients` is the maximum, `connections` are the platform's.

    Returns:
        No more than the system has file descriptors for.
    """
    available = max_files() - RESERVED_FILES - settings.platform.connections
    return max(MIN_CONNECTIONS, min(settings.server.clients, available))


def max_files() -> int:
    """Raise this process's limit on open files as far as the system allows.

    Returns:
        The limit.
    """
    if resource is None:
        return UNLIMITED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return UNLIMITED_FILES if hard == resource.RLIM_INFINITY else hard
