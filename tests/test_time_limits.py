"""The limits of a test's time: whatever hangs, the run ends and shows where."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.run_limit import MARGIN_SECONDS

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


def run_tests(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a folder with the project's settings."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", folder),
            *("-p", "no:cacheprovider", *options, "."),
        ],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def test_the_end_of_a_fixture_that_hangs_ends_the_run(tmp_path: Path) -> None:
    """A fixture's end that survives the limit of the test ends the process, with all stacks."""
    (tmp_path / "test_hanging.py").write_text(HANGING)
    limits = ["timeout=0.3", "faulthandler_timeout=1"]
    done = run_tests(tmp_path, *(option for limit in limits for option in ("-o", limit)))
    assert done.returncode == 1
    assert "Timeout (0:00:01)!" in done.stderr
    assert 'test_hanging.py", line 12 in never_ends' in done.stderr


STOPPED_RUN = """
import pytest

from tests import run_limit


def pytest_configure(config):
    run_limit.watch(config)
    limit = config.pluginmanager.get_plugin("run-limit")
    if limit is not None:
        config.pluginmanager.register(Late(limit))


class Late:
    def __init__(self, limit):
        self.limit = limit

    def pytest_runtest_logstart(self, nodeid):
        if "hangs" in nodeid:
            self.limit._limit = 0.0
"""
HANGING_IN_C = """
import threading


def test_passes():
    pass


def test_fails():
    assert False


def test_hangs():
    threading.Lock().acquire() and threading.Event().wait()
"""


def test_the_last_lines_of_a_run_that_ended_itself_say_where_it_was(tmp_path: Path) -> None:
    """They have what failed, what was running, and the innermost frames of each process."""
    (tmp_path / "conftest.py").write_text(STOPPED_RUN)
    (tmp_path / "test_hanging.py").write_text(HANGING_IN_C)
    done = run_tests(tmp_path, "--numprocesses", "1")
    assert done.returncode == 1
    summary = done.stderr.rpartition("The tests did not end within 0 s.\n")[2].splitlines()
    assert summary[:2] == [
        "1 failed, 1 passed",
        "Failed: test_hanging.py::test_fails: assert False",
    ]
    assert summary[2].startswith("Running: test_hanging.py::test_hangs (")
    assert any(line.startswith("gw0-") and "State:" in line for line in summary)
    assert any('test_hanging.py", line 14 in test_hangs' in line for line in summary)


ENDING = """
import os
from pathlib import Path


def test_ends_its_process():
    with Path("runs.txt").open("a") as runs:
        runs.write("once\\n")
    os._exit(1)


def test_passes():
    pass


def test_passes_too():
    pass
"""


def test_a_test_that_ended_its_process_is_not_run_again(tmp_path: Path) -> None:
    """One that hangs would hold up the run for as long each time; the others of its file are run."""
    (tmp_path / "conftest.py").write_text("from tests.run_limit import watch as pytest_configure")
    (tmp_path / "test_ending.py").write_text(ENDING)
    done = run_tests(tmp_path, "--numprocesses", "1", "--dist", "loadfile")
    assert (tmp_path / "runs.txt").read_text() == "once\n"
    assert "1 failed, 2 passed" in done.stdout, done.stdout


def test_a_test_fails_before_its_process_ends() -> None:
    """The limit that fails one test is shorter than the one that ends the process."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert 0 < float(options["timeout"]) < float(options["faulthandler_timeout"])
    assert MARGIN_SECONDS > 0
    assert options["faulthandler_exit_on_timeout"] is True
