"""Access for operators' commands, which run in a process of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import (
    Access,
    JournalAdmin,
    JournalBackend,
    NullJournalObserver,
)
from vertexkit.journal.shared.client import JournalClient, JournalServerNotFound
from vertexkit.journal.shared.socket import find_socket
from vertexkit.settings import JournalSettings


@asynccontextmanager
async def open_admin(settings: JournalSettings, clock: Clock) -> AsyncIterator[JournalAdmin]:
    """Open a journal for an operator's command, whether or not a service is running.

    How it is opened depends on what the kind of journal can do (`JournalBackend.access`). A journal
    that one process has open is reached over that process's socket; without such a process the
    file is opened, and a service that is started meanwhile has to wait. No file is created.

    Args:
        settings: of the journal, as the service has them.
        clock: of the process.

    Raises:
        JournalUnusable: it cannot be opened; the message names the cause and the fix.
        SettingsError: no kind of journal is registered for the URL's scheme.
    """
    backend = make_journal(settings, clock)
    match backend.access:
        case Access.PROCESS:
            scheme = settings.url.partition(":")[0]
            raise JournalUnusable(
                f"a {scheme}: journal can only be read by the process that owns it"
            )
        case Access.SOCKET if backend.file is not None:
            journal = await _open_file(backend, backend.file)
        case _:
            await backend.open(NullJournalObserver())
            journal = backend
    try:
        yield journal
    finally:
        await journal.close()


async def _open_file(backend: JournalBackend, file: Path) -> JournalClient | JournalBackend:
    """Connect to the process that has the file open, or open the file."""
    if (client := await _connect(file)) is not None:
        return client
    _check_exists(file)
    try:
        await backend.open(NullJournalObserver())
    except JournalUnusable:
        if (client := await _connect(file)) is not None:  # a service has started meanwhile
            return client
        raise
    return backend


def _check_exists(file: Path) -> None:
    if not file.exists():
        raise JournalUnusable(
            f"the journal {file} does not exist: no service has run with it yet, or "
            "VERTEXKIT_JOURNAL names another path"
        )


async def _connect(file: Path) -> JournalClient | None:
    """Connect to the process that has the file open; None if there is none."""
    socket = find_socket(file)
    if socket is None:
        return None
    client = JournalClient(socket)
    try:
        await client.open(NullJournalObserver())
    except JournalServerNotFound:
        return None
    return client
