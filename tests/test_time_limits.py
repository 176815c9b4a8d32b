"""The limits of a test's time: whatever hangs, the run ends and shows where."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.run_limit import MARGIN_SECONDS

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
HANGING = """
import faulthandler
import signal
import time

import pytest

given = []
arm = faulthandler.dump_traceback_later
faulthandler.dump_traceback_later = lambda *times, **options: given.append((times, options))
faulthandler.cancel_dump_traceback_later = given.clear


@pytest.fixture
def never_ends():
    yield
    try:
        if {passes}:  # the limit of a test that has failed is over
            signal.raise_signal(signal.SIGALRM)
    except BaseException as limit:  # as an event loop does that waits for its tasks
        print(f"survived: {{limit}}", flush=True)
    [((seconds,), options)] = given
    print(f"ended after {{seconds:g}} s", flush=True)
    arm(0.01, **options), time.sleep(60)  # on one line, wherever it is after the time


def test_ends(never_ends):
    assert {passes}
"""
"""The limits are reached at once: that of the test, whose signal the fixture sends itself, then that
of the process, which pytest has set and whose seconds are shortened."""


def project_options() -> dict[str, Any]:
    """Return the project's settings of pytest."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    options: dict[str, Any] = tomllib.loads(text)["tool"]["pytest"]
    return options


PLUGINS = ("xdist", "pytest_timeout", "anyio.pytest_plugin", "pytest_asyncio.plugin")
"""Those that the project's settings name; no others are imported."""


def run_tests(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a folder with the project's settings."""
    return forked.run(
        "pytest",
        [
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)),
            *(word for plugin in PLUGINS for word in ("-p", plugin)),
            *("-p", "no:cacheprovider", *forked.PYTEST_OPTION.split(maxsplit=1), *options, "."),
        ],
        folder=folder,
        environment=os.environ | {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


@pytest.mark.parametrize("passes", [True, False], ids=["of a passed test", "of a failed test"])
def test_the_end_of_a_fixture_that_hangs_ends_the_run(tmp_path: Path, passes: bool) -> None:
    """A fixture's end that survives the limit of the test ends the process, with all stacks."""
    (tmp_path / "conftest.py").write_text("from tests.run_limit import watch as pytest_configure")
    (tmp_path / "test_hanging.py").write_text(HANGING.format(passes=passes))
    done = run_tests(tmp_path, "--capture=no")
    assert done.returncode == 1, done.stdout + done.stderr
    options = project_options()
    limit = f"survived: Timeout (>{float(options['timeout'])}s) from pytest-timeout"
    assert (limit in done.stdout) == passes
    assert f"ended after {options['faulthandler_timeout']} s" in done.stdout
    assert done.stderr.count("Timeout (0:00:00.010000)!") == 1, done.stderr
    assert 'test_hanging.py", line 24 in never_ends' in done.stderr, done.stderr


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

    @pytest.hookimpl(trylast=True)  # when the limit has noted that the test runs
    def pytest_runtest_logstart(self, nodeid):
        if "hangs" in nodeid:
            with open("hangs"):  # a pipe: until the test is where it hangs
                self.limit._limit = 0.0
"""
HANGING_IN_C = """
import threading


def test_passes():
    pass


def test_fails():
    assert False


def test_hangs():
    open("hangs", "w").close(); threading.Event().wait()
"""


def test_the_last_lines_of_a_run_that_ended_itself_say_where_it_was(tmp_path: Path) -> None:
    """They have what failed, what was running, and the innermost frames of each process.

    The failures themselves are before them.
    """
    (tmp_path / "conftest.py").write_text(STOPPED_RUN)
    (tmp_path / "test_hanging.py").write_text(HANGING_IN_C)
    os.mkfifo(tmp_path / "hangs")
    done = run_tests(tmp_path, "--numprocesses", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    failures, _, end = done.stderr.rpartition("The tests did not end within 0 s.\n")
    assert ">       assert False\nE       assert False" in failures, done.stderr
    summary = end.splitlines()
    assert summary[:2] == [
        "1 failed, 1 passed",
        "Failed: test_hanging.py::test_fails: assert False",
    ]
    assert summary[2].startswith("Running: test_hanging.py::test_hangs (")
    assert any(line.startswith("gw0-") and "State:" in line for line in summary), done.stderr
    assert any('test_hanging.py", line 14 in test_hangs' in line for line in summary), done.stderr


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
    options = project_options()
    assert 0 < float(options["timeout"]) < float(options["faulthandler_timeout"])
    assert MARGIN_SECONDS > 0
    assert options["faulthandler_exit_on_timeout"] is True
