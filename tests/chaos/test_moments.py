"""The journal after `kill -9` at random moments: nothing that was known to be stored is lost."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.dump import dump
from tests.chaos.moments import EXECUTIONS, STEPS
from vertexkit.clock import Clock
from vertexkit.execution import EffectState, Phase
from vertexkit.journal.protocol import NullJournalObserver, Record
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
PROCESSES = int(os.environ.get("MOMENTS", "60"))
"""Processes that are killed, each at a moment of its own."""
SEED = "moments"
MEMORY = Path("/dev/shm")
"""A file system in memory, if there is one: what a process has written outlives the process there too,
and nothing waits for a disk."""


def reached(record: Record | None) -> str:
    """Return the last step that the file has of an execution."""
    if record is None:
        return ""
    if record.phase is Phase.SETTLED:
        return "settled"
    if record.result is not None:
        return "recorded"
    if record.effects:
        return "confirmed" if record.effects[0].state is EffectState.CONFIRMED else "intended"
    return "accepted"


def check(folder: Path) -> int:
    """Check a process's journal against what the process has reported; return the reports."""
    lines = [line.split() for line in (folder / "reports").read_text(encoding="ascii").splitlines()]
    journal = folder / "journal.db"
    records = {record.execution: record for record in dump(journal)} if lines else {}
    for step, execution in lines:
        found = reached(records.get(execution))
        assert STEPS.index(found) >= STEPS.index(step), (folder.name, step, execution, found)
    return len(lines)


async def reopen(path: Path) -> None:
    """Open and close a journal, as the next process does."""
    journal = SqliteJournal(path, Clock(), JournalSettings())
    await journal.open(NullJournalObserver())
    await journal.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder where writing is fast."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def test_killed_at_a_random_moment_the_file_has_what_was_stored(folder: Path) -> None:
    """Acceptance, intent, outcome, result and settlement survive; the next process opens the file."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.moments", folder, str(PROCESSES), SEED],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert check(folder / "whole") == len(STEPS) * EXECUTIONS
    killed = [folder / str(number) for number in range(PROCESSES)]
    reports = [check(one) for one in killed]
    assert int(done.stdout) > PROCESSES / 2  # the others ended before the timer
    assert len(set(reports)) > 10  # they were killed at different moments
    for one in killed[:10]:
        asyncio.run(reopen(one / "journal.db"))
