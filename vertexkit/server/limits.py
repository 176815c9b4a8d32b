"""How much of a server a stranger may take."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from vertexkit.settings import Settings

resource = import_module("resource") if find_spec("resource") else None
"""Windows has none."""

HEADERS = 100
"""Fields of one request's head."""
LINGER = 5.0
"""Seconds in which the rest of a refused request is read and thrown away: whoever is still sending
would otherwise not see the answer, for a closed socket resets theirs."""
LINGER_BYTES = 16 * 1024 * 1024
CHUNKING = 2
"""Bytes on the wire for each byte that a body may have: a long one in small chunks takes more time
to take apart than it is worth."""
PIPELINED = 32
"""Requests that wait behind another one on the same connection."""
UNCOUNTED = 1_000_000
"""Files, where the system has no limit."""
SPARE_FILES = 256
"""File descriptors for all that is not a caller's connection."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection, and all of them together, may take."""

    head: int = 16 * 1024
    """Bytes of a request's line and headers."""
    body: int = 256 * 1024
    """Bytes of its body, as the app counts them."""
    head_timeout: float = 10.0
    """Seconds from a connection, or a request's first byte, to the end of its head."""
    body_timeout: float = 15.0
    """Seconds for its body; and for an answer that its caller does not read."""
    clients: int = 4096
    """Connections open at once."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """As the settings say, and no more connections than the system has files for."""
        room = files() - SPARE_FILES - settings.platform.connections
        return cls(
            settings.server.head_limit,
            settings.server.body_limit,
            settings.server.head_timeout,
            settings.server.body_timeout,
            max(16, min(settings.server.clients, room)),
        )


def files() -> int:
    """How many files this process may have open, after asking the system for all it allows."""
    if resource is None:
        return UNCOUNTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return UNCOUNTED if hard == resource.RLIM_INFINITY else hard
