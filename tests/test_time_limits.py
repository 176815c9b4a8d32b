"""The limits of a test's time: whatever hangs, the run ends and shows where."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
HANGING = """
import time

import pytest


@pytest.fixture
def never_ends():
    yield
    while True:
        try:
            time.sleep(60)
        except BaseException:  # as an event loop does that waits for its tasks
            pass


def test_passes(never_ends):
    pass
"""


def test_the_end_of_a_fixture_that_hangs_ends_the_run(tmp_path: Path) -> None:
    """A fixture's end that survives the limit of the test ends the process, with all stacks."""
    (tmp_path / "test_hanging.py").write_text(HANGING)
    limits = ["timeout=0.3", "faulthandler_timeout=1"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path),
            *(option for limit in limits for option in ("-o", limit)),
            *("-p", "no:cacheprovider", "test_hanging.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert "Timeout (0:00:01)!" in done.stderr
    assert 'test_hanging.py", line 12 in never_ends' in done.stderr


def test_a_test_fails_before_its_process_ends() -> None:
    """The limit that fails one test is shorter than the one that ends the process."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert 0 < float(options["timeout"]) < float(options["faulthandler_timeout"])
    assert options["faulthandler_exit_on_timeout"] is True
