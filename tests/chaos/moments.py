"""Processes that write executions to a journal and are killed at random moments.

`python -m tests.chaos.moments FOLDER PROCESSES SEED` forks one process after the other. Each writes
a journal and a file of what it knows to be stored, and is killed by a timer of the system: in the
middle of a system call, of SQLite or of Python's own code. The timer is set when the process has
reported a certain number of steps, so a slow machine has as many different moments as a fast one.
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


MAX_DELAY_SECONDS = 0.002
"""From the report that sets the timer to the kill: some steps at most."""


class Killer:
    """Kills its own process by a timer that starts when a number of steps have been reported."""

    def __init__(self, steps: int, delay: float) -> None:
        self._steps, self._delay = steps, delay

    def count(self) -> None:
        """Take note of a report."""
        if self._steps == 0:
            signal.setitimer(signal.ITIMER_REAL, self._delay)
        self._steps -= 1


killer = Killer(-1, 0)


def report(*words: str) -> None:
    """Write a line, in one system call."""
    os.write(sys.stdout.fileno(), f"{' '.join(words)}\n".encode())
    killer.count()


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


def run(folder: Path, steps: int, delay: float) -> int:
    """Fork a process that is killed when it has reported some steps (-1: never) and after a delay.

    Returns its wait status.
    """
    folder.mkdir()
    child = os.fork()
    if child == 0:
        global killer  # noqa: PLW0603 - the child's own
        output = os.open(folder / "reports", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, sys.stdout.fileno())
        killer = Killer(steps, delay)
        killer.count()  # the start, which reports nothing
        asyncio.run(write(folder / "journal.db"))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(folder: Path, processes: int, seed: str) -> None:
    """Run one process to its end, then kill the others after one step or another."""
    chosen = random.Random(seed)
    started = time.monotonic()
    if run(folder / "whole", -1, 0) != 0:
        raise SystemExit("a process that was not killed has failed")
    whole = time.monotonic() - started
    killed = 0
    for number in range(processes):
        steps = number % (EXECUTIONS * len(STEPS))
        longest = min(whole / 10, MAX_DELAY_SECONDS) if steps else whole / 2
        delay = chosen.uniform(1e-6, longest)
        killed += os.WIFSIGNALED(run(folder / str(number), steps, delay))
    report(str(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
