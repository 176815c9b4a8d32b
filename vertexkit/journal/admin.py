"""Access for operators' commands, which run in a process of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, JournalUnusable
from vertexkit.journal import make_journal
from vertexkit.journal.dialog_memory import Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.protocol import (
    Access,
    JournalAdmin,
    JournalBackend,
    NullJournalObserver,
    Query,
    Record,
    WorkerRecord,
)
from vertexkit.journal.shared.client import JournalClient, JournalServerNotFound
from vertexkit.journal.shared.socket import find_owner, find_socket
from vertexkit.settings import JournalSettings

ANSWER_TIMEOUT_SECONDS = 5.0
"""How long an operator's command waits for each answer of the journal."""


@asynccontextmanager
async def open_admin(settings: JournalSettings, clock: Clock) -> AsyncIterator[JournalAdmin]:
    """Open a journal for an operator's command, whether or not a service is running.

    How it is opened depends on what the kind of journal can do (`JournalBackend.access`). A journal
    that one process has open is reached over that process's socket; without such a process the
    file is opened, and a service that is started meanwhile has to wait. No file is created.

    Every question has a time limit: if the process that has the journal open is stopped, or its
    event loop is blocked, the journal's methods raise `JournalUnavailable`.

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
        case Access.ANY:  # it is not opened: that is for processes that claim executions
            await asyncio.to_thread(backend.check)
            journal = backend
        case _:
            await backend.open(NullJournalObserver())
            journal = backend
    silence = _describe_silence(backend.file)
    try:
        yield TimeLimitedAdmin(journal, silence)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                await journal.close()


class TimeLimitedAdmin:
    """A journal for operators that answers each question within a time limit, or raises an error.

    Args:
        journal: that is asked.
        silence: what it means if there is no answer: the text of the error.
    """

    def __init__(self, journal: JournalAdmin, silence: str) -> None:
        self._journal = journal
        self._silence = silence

    async def find(self, execution: str) -> Record | None:
        async with self._limit():
            return await self._journal.find(execution)

    async def search(self, query: Query) -> list[Record]:
        async with self._limit():
            return await self._journal.search(query)

    async def workers(self) -> list[WorkerRecord]:
        async with self._limit():
            return await self._journal.workers()

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        async with self._limit():
            return await self._journal.retry(execution, fresh=fresh)

    async def drop(self, execution: str) -> Record:
        async with self._limit():
            return await self._journal.drop(execution)

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        async with self._limit():
            return await self._journal.memories(dialog)

    async def forget(self, dialog: int) -> Forgotten:
        async with self._limit():
            return await self._journal.forget(dialog)

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        async with self._limit():
            return await self._journal.stored_inputs(execution)

    async def rekey(self, key: str, after: str) -> Rekeyed:
        async with self._limit():
            return await self._journal.rekey(key, after)

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        async with self._limit():
            return await self._journal.deliver_event(execution, name, data)

    async def event_target(self, execution: str) -> EventTarget | None:
        async with self._limit():
            return await self._journal.event_target(execution)

    @asynccontextmanager
    async def _limit(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                yield
        except TimeoutError:
            raise JournalUnavailable(self._silence) from None


def _describe_silence(file: Path | None) -> str:
    """Return the error for a journal that does not answer."""
    seconds = f"within {ANSWER_TIMEOUT_SECONDS:g} s"
    if file is None or (owner := find_owner(file)) is None:
        return f"the journal did not answer {seconds}: its disk or its server does not respond"
    return (
        f"the process {owner} has the journal {file} open and did not answer {seconds}: it is "
        "stopped (SIGSTOP) or its event loop is blocked. Continue it (SIGCONT), or restart the "
        "service, and try again; a change that was asked for may still be carried out"
    )


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
        async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
            await client.open(NullJournalObserver())
    except JournalServerNotFound:
        return None
    except TimeoutError:
        await client.close()
        raise JournalUnusable(_describe_silence(file)) from None
    return client
