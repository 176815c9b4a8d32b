"""The journal under a system that fails at its n-th call: killed there, full, or broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.dump import dump

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def inject(path: Path, call: str, what: str) -> list[str]:
    """Let a process accept executions while this is done to its system calls; what it said."""
    assert STRACE is not None
    done = subprocess.run(
        [
            *(STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"),
            *("-e", f"inject={call}:{what}", sys.executable, "-m", "tests.chaos.accepting", path),
        ],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    return done.stdout.split()


def kept(path: Path) -> set[str]:
    """What is in the journal's file."""
    return {record.execution for record in dump(path)}


@pytest.mark.parametrize(
    "call, at",
    [*(("fdatasync", at) for at in (8, 9, 15, 40)), *(("pwrite64", at) for at in (30, 37, 80))],
)
def test_killed_at_a_write_it_keeps_what_it_had_said(tmp_path: Path, call: str, at: int) -> None:
    """Every execution that was acknowledged is there; at most one that was not is there too."""
    path = tmp_path / "journal.db"
    said = inject(path, call, f"signal=KILL:when={at}")
    assert len(said) < 60
    found = kept(path)
    assert found >= set(said)
    assert len(found) <= len(said) + 1


def test_a_disk_without_room_refuses_and_goes_on(tmp_path: Path) -> None:
    """Calls that find no room are refused and leave nothing; those after them are kept."""
    path = tmp_path / "journal.db"
    said = inject(path, "pwrite64", "error=ENOSPC:when=30..36")
    assert "unavailable" in said
    assert said[-1] != "unavailable"
    assert kept(path) == set(said) - {"unavailable"}


def test_a_disk_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    """After a failed sync nothing more is acknowledged; what was, is there."""
    path = tmp_path / "journal.db"
    said = inject(path, "fdatasync", "error=EIO:when=20")
    assert said.count("lost") == 1
    assert set(said[said.index("lost") :]) <= {"lost", "unavailable"}
    assert kept(path) >= set(said) - {"lost", "unavailable"}
