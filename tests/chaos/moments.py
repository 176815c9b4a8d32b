"""Processes that write executions to a journal and are killed at random moments.

`python -m tests.chaos.moments FOLDER PROCESSES SEED` forks one process after the other. Each writes
a journal and a file of what it knows to be stored, and is killed by a timer of the system: in the
middle of a system call, of SQLite or of Python's own code.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Result,
    new_execution_id,
)
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

EXECUTIONS = 6
"""Executions of one process, of which two are under way at any time."""
STEPS = ("accepted", "intended", "confirmed", "recorded", "settled")
"""What is reported of an execution, in this order."""


def report(*words: str) -> None:
    """Write a line, in one system call."""
    os.write(sys.stdout.fileno(), f"{' '.join(words)}\n".encode())


async def write(path: Path) -> None:
    """Bring executions from their acceptance to their outcome; report each step when it is stored."""
    journal = SqliteJournal(path, Clock(), JournalSettings())
    await journal.open(NullJournalObserver())

    async def one(number: int) -> None:
        call = Execution(new_execution_id(), "block", Token(f"token-{number}"), {}, b"{}", 1.0)
        await journal.accept(call, EXECUTIONS)
        report("accepted", call.id)
        [lease] = await journal.claim("worker", {"block": 1}, 1)
        name = lease.execution.id
        await journal.record_intent(lease, Effect(0, "step:price", "digest"))
        report("intended", name)
        done = Effect(0, "step:price", "digest", EffectState.CONFIRMED, b"{}")
        await journal.record_effect(lease, done)
        report("confirmed", name)
        await journal.record_result(lease, Result(b"1"), completing=True)
        report("recorded", name)
        await journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, confirmed_by="204"))
        report("settled", name)

    for number in range(0, EXECUTIONS, 2):
        await asyncio.gather(one(number), one(number + 1))
    await journal.close()


def run(folder: Path, after: float) -> int:
    """Fork a process that is killed after these seconds (0: never); return its wait status."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        output = os.open(folder / "reports", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, sys.stdout.fileno())
        signal.setitimer(signal.ITIMER_REAL, after)
        asyncio.run(write(folder / "journal.db"))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(folder: Path, processes: int, seed: str) -> None:
    """Measure how long a process takes that is not killed, then kill the others before that time."""
    chosen = random.Random(seed)
    started = time.monotonic()
    if run(folder / "whole", 0) != 0:
        raise SystemExit("a process that was not killed has failed")
    whole = time.monotonic() - started
    killed = sum(
        os.WIFSIGNALED(run(folder / str(number), chosen.uniform(0.001, whole)))
        for number in range(processes)
    )
    report(str(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
