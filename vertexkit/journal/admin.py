"""The journal in an operator's hands, beside the service that runs, or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable
from vertexkit.journal import open_journal
from vertexkit.journal.protocol import Journal
from vertexkit.journal.shared.client import OwnerAbsent, RemoteJournal
from vertexkit.journal.shared.socket import find_socket
from vertexkit.journal.sqlite.file import file_of
from vertexkit.settings import JournalSettings


@asynccontextmanager
async def operators_journal(settings: JournalSettings, clock: Clock) -> AsyncIterator[Journal]:
    """The journal of these settings, opened: the running service's if there is one.

    Without one it is the file, and a service that starts meanwhile has to wait. It runs nothing,
    and makes no file.

    Args:
        settings: of journals, the same as those of the service.
        clock: of the process.

    Raises:
        JournalUnusable: it cannot be used; names the cause and the mend.
        SettingsError: there is no such kind of journal.
    """
    journal = await _open(settings, clock)
    try:
        yield journal
    finally:
        await journal.close()


async def _open(settings: JournalSettings, clock: Clock) -> Journal:
    journal = open_journal(settings, clock)
    file = file_of(settings.url)
    if file is None:
        raise JournalUnusable(
            f"the journal {settings.url} is in its service's memory: nobody else can look into it"
        )
    if (remote := await _connect(file)) is not None:
        return remote
    if not file.exists():
        raise JournalUnusable(
            f"there is no journal {file}: no service has run with it yet, or VERTEXKIT_JOURNAL "
            "names another path"
        )
    try:
        await journal.open(lambda: None)
    except JournalUnusable:
        if (remote := await _connect(file)) is not None:  # a service has started meanwhile
            return remote
        raise
    return journal


async def _connect(file: Path) -> Journal | None:
    """The running owner's journal; None if there is no owner."""
    socket = find_socket(file)
    if socket is None:
        return None
    remote = RemoteJournal(socket)
    try:
        await remote.open(lambda: None)
    except OwnerAbsent:
        return None
    return remote
