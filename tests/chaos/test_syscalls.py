"""The journal when a system call fails: killed, disk full, or input/output error."""

import asyncio
import subprocess
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.chaos import accepting
from tests.chaos.dump import dump
from tests.forked import fork
from tests.tools import TOOLS, reason
from vertexkit.clock import Clock
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings

TRACE_SECONDS = 100.0
"""After this time the test fails."""
STRACE = TOOLS["strace"].path
pytestmark = [pytest.mark.unmeasured, pytest.mark.skipif(STRACE is None, reason=reason("strace"))]


async def create(path: Path) -> None:
    """Make an empty journal."""
    journal = SqliteJournal(path, Clock(), JournalSettings())
    await journal.open(NullJournalObserver())
    await journal.close()


def inject(path: Path, call: str, what: str, *, code: int = 0) -> list[str]:
    """Run a process that accepts executions with a fault in its system calls; return its output.

    The journal exists already: how many calls its creation takes is not the subject.

    Args:
        path: of the journal.
        call: the system call.
        what: happens to it.
        code: the expected exit code of the process.
    """
    assert STRACE is not None
    asyncio.run(create(path))
    output = path.with_name("output")
    process = fork(accepting.start, path, output)
    tracer = subprocess.Popen(
        [
            *(STRACE, "-f", "-qq", "-o", "/dev/null", "-p", str(process.pid)),
            *("-e", f"trace={call},sched_yield", "-e", f"inject={call}:{what}"),
            *("-e", "inject=sched_yield:retval=1"),  # the process waits for that
        ],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        _, errors = tracer.communicate(timeout=TRACE_SECONDS)  # it ends with the process
    finally:
        tracer.kill()
        process.kill()
        process.join()
    text = output.read_text(encoding="utf-8")
    assert (tracer.returncode, process.exitcode) == (0, code), errors + text
    return text.split()


def stored(path: Path) -> set[str]:
    """Return the ids in the journal's file."""
    return {record.execution for record in dump(path)}


@pytest.mark.parametrize(
    "call, at",
    [*(("fdatasync", at) for at in (3, 8, 15, 40)), *(("pwrite64", at) for at in (6, 37, 80))],
)
def test_killed_at_a_write_it_keeps_what_it_had_said(tmp_path: Path, call: str, at: int) -> None:
    """Every acknowledged execution is stored, and at most one that was not acknowledged."""
    path = tmp_path / "journal.db"
    output = inject(path, call, f"signal=KILL:when={at}", code=-SIGKILL)
    assert len(output) < accepting.EXECUTIONS
    found = stored(path)
    assert found >= set(output)
    assert len(found) <= len(output) + 1


def test_a_disk_without_room_refuses_and_goes_on(tmp_path: Path) -> None:
    """Calls that find no space fail and store nothing; later ones are stored."""
    path = tmp_path / "journal.db"
    output = inject(path, "pwrite64", "error=ENOSPC:when=30..36")
    assert "unavailable" in output
    assert output[-1] != "unavailable"
    assert stored(path) == set(output) - {"unavailable"}


def test_a_disk_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    """After a failed sync nothing is acknowledged; earlier executions are stored."""
    path = tmp_path / "journal.db"
    output = inject(path, "fdatasync", "error=EIO:when=20")
    assert output.count("lost") == 1
    assert set(output[output.index("lost") :]) <= {"lost", "unavailable"}
    assert stored(path) >= set(output) - {"lost", "unavailable"}
