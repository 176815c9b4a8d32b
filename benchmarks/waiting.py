"""Measures what executions cost that wait: memory, the start of the process, and each wait.

    python benchmarks/waiting.py
    python benchmarks/waiting.py --executions 100000

One process with an SQLite journal accepts and claims executions, journals a message and a wait of an
hour of each, and suspends it. An hour of virtual time passes; all are due, and are claimed again.
Another process then opens the file of the first one before that hour.
"""

import argparse
import asyncio
import gc
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic_core import to_json

from vertexkit.execution import Effect, EffectState, Execution, new_execution_id
from vertexkit.journal.protocol import Lease, NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

HOUR = 3600.0
BATCH = 100
KIB = 1024
SENT = b'{"message_id":123456,"created_at":1700000000}'


def resident_bytes() -> int:
    """Return the memory that this process has in use."""
    gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * KIB
    raise RuntimeError("/proc/self/status has no VmRSS")


def call(number: int) -> Execution:
    """Return a call of the usual size."""
    token = f"{'h' * 36}.{'c' * 160}{number:08}.{'s' * 43}"
    inputs = {"amount": number, "name": f"Customer {number}", "comment": "x" * 200}
    return Execution(
        new_execution_id(),
        "pay",
        Token(token),
        inputs,
        to_json({"token": token, **inputs}),
        time.time(),
    )


async def suspend(journal: SqliteJournal, lease: Lease, until: float) -> None:
    """Journal what a handler does that sends a message and waits for an event."""
    message = Effect(0, "send", "0123456789abcdef")
    await journal.record_intent(lease, message)
    await journal.record_effect(
        lease, Effect(0, "send", message.digest, EffectState.CONFIRMED, SENT)
    )
    wait = Effect(1, "wait:payment", value=to_json({"until": until, "type": "payment:Payment"}))
    await journal.record_intent(lease, wait)
    await journal.suspend(lease, until - time.time(), 0.1)


async def measure(path: Path, executions: int) -> None:
    """Measure the process in which the executions wait."""
    clock = VirtualClock()
    clock.hold_durable_waits()
    journal = SqliteJournal(path, clock, JournalSettings())
    await journal.open(NullJournalObserver())
    await wait_once(journal, 0, BATCH)  # what is made once is not counted
    before, started = resident_bytes(), time.process_time()
    await wait_once(journal, BATCH, executions)
    seconds = time.process_time() - started
    memory = (resident_bytes() - before) / executions
    shutil.copytree(path.parent, path.parent.with_name("waiting"))
    print(f"memory of an execution that waits: {memory / KIB:.2f} KiB")
    print(f"accept, claim, message, wait and suspend: {seconds / executions * 1e6:.0f} us of CPU")
    started = time.process_time()
    await clock.advance(2 * HOUR)
    leases = await journal.claim("worker", {"pay": executions + BATCH}, executions + BATCH)
    resumed = time.process_time() - started
    assert len(leases) == executions + BATCH, f"only {len(leases)} were due after their hour"
    started = time.process_time()
    again = leases[:executions]
    for first in range(0, executions, BATCH):
        batch = again[first : first + BATCH]
        await asyncio.gather(*(journal.suspend(lease, HOUR, 0.1) for lease in batch))
    suspended = time.process_time() - started
    print(f"suspend: {suspended / executions * 1e6:.0f} us of CPU")
    print(f"become due and be claimed: {resumed / len(leases) * 1e6:.0f} us of CPU")
    await journal.close()


async def wait_once(journal: SqliteJournal, number: int, executions: int) -> None:
    """Let new executions with numbers from `number` wait for an hour."""
    for first in range(number, number + executions, BATCH):
        size = min(BATCH, number + executions - first)
        await asyncio.gather(*(journal.accept(call(first + n), 1 << 30) for n in range(size)))
        leases = await journal.claim("worker", {"pay": BATCH}, BATCH)
        await asyncio.gather(*(suspend(journal, lease, time.time() + HOUR) for lease in leases))


async def measure_start(path: Path) -> None:
    """Measure a process that opens the file with the executions that wait."""
    before, started = resident_bytes(), time.perf_counter()
    journal = SqliteJournal(path, VirtualClock(), JournalSettings())
    await journal.open(NullJournalObserver())
    seconds, waiting = time.perf_counter() - started, journal.suspended() + journal.backlog()
    memory = (resident_bytes() - before) / max(1, waiting)
    print(f"start with {waiting} that wait: {seconds:.2f} s, {memory / KIB:.2f} KiB each")
    await journal.close()


def main() -> None:
    """Measure `--executions` that wait."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start is not None:
        asyncio.run(measure_start(arguments.start))
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "live" / "journal.db"
        asyncio.run(measure(path, arguments.executions))
        copy = Path(folder) / "waiting" / path.name
        sys.stdout.flush()  # the lines of the other process come after these
        subprocess.run([sys.executable, __file__, "--start", str(copy)], check=True)


if __name__ == "__main__":
    main()
