"""A process that accepts executions into a journal, and says of each when it is kept."""

import asyncio
import sys
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Execution, new_execution_id
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

EXECUTIONS = 60
"""Calls that are accepted."""


async def accept(path: Path) -> None:
    """Accept one after the other; print its id, `refused`, or `broke`."""
    journal = SqliteJournal(path, Clock(), JournalSettings())
    await journal.open(lambda: None, lambda _: print("broke", flush=True))
    for number in range(EXECUTIONS):
        call = Execution(new_execution_id(), "block", Token(f"token-{number}"), {}, b"{}", 1.0)
        try:
            await journal.accept(call, EXECUTIONS)
        except JournalUnavailable:
            print("refused", flush=True)
        else:
            print(call.id, flush=True)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(accept(Path(sys.argv[1])))
