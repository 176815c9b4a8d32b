"""A process that accepts executions into a journal, and prints each id when it is stored."""

import asyncio
import sys
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Execution, new_execution_id
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

EXECUTIONS = 60
"""Calls that are accepted."""


class Observer(NullJournalObserver):
    """Prints the loss of the journal."""

    def lost(self, reason: str) -> None:
        print("lost", flush=True)


async def accept(path: Path) -> None:
    """Accept executions one after the other; print each one's id, `unavailable`, or `lost`."""
    journal = SqliteJournal(path, Clock(), JournalSettings())
    await journal.open(Observer())
    for number in range(EXECUTIONS):
        call = Execution(new_execution_id(), "block", Token(f"token-{number}"), {}, b"{}", 1.0)
        try:
            await journal.accept(call, EXECUTIONS)
        except JournalUnavailable:
            print("unavailable", flush=True)
        else:
            print(call.id, flush=True)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(accept(Path(sys.argv[1])))
