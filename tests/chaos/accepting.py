"""A process that accepts executions into a journal, and prints each id when it is stored."""

import asyncio
import ctypes
import os
from pathlib import Path

from tests.waiting import until_outside
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Execution, new_execution_id
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

EXECUTIONS = 60
"""Calls that are accepted."""
SET_PTRACER, ANY_PROCESS = 0x59616D61, 2**64 - 1
"""Of `prctl`: which process may trace this one, besides its parents."""


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


def start(path: Path, output: Path) -> None:
    """Accept executions in this forked process, as soon as its system calls are traced."""
    number = os.open(output, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(number, stream)
    library = ctypes.CDLL(None)
    library.prctl(SET_PTRACER, ctypes.c_ulong(ANY_PROCESS))  # fails where all processes may trace
    until_outside(library.sched_yield, "the tracer changes what system calls return")
    asyncio.run(accept(path))
