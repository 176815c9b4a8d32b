"""A journal in the folder of a command, with executions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from vertexkit.clock import Clock
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings

Fill = Callable[[SqliteJournal], Awaitable[None]]


def name(number: int) -> str:
    """The id of an execution."""
    return f"{number:04x}{'e' * 18}"


def fill(shell: Any, work: Fill) -> None:
    """Open the journal of this folder, fill it, and close it."""

    async def run() -> None:
        path = shell.folder / ".vertexkit" / "journal.db"
        journal = SqliteJournal(path, Clock(), JournalSettings())
        await journal.open(NullJournalObserver())
        await work(journal)
        await journal.close()

    asyncio.run(run())
