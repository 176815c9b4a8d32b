"""The limit of the whole run's time: the last lines of the output say what did not end, and where.

The process that hands the tests out watches: the whole run may take RUN_MINUTES, and a test begins or
ends within the limit of a process (`faulthandler_timeout`, which is longer for tests that install)
and a margin. A process that runs tests writes the stacks of its threads to a file when it is asked to,
also while it waits in compiled code.
"""

import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests import measuring

MARGIN_SECONDS = 180.0
"""The limit of a process (`faulthandler_timeout`) ends it first: that one says more."""
STACKS_SECONDS = 20.0
"""Within this time a process writes its stacks. Only one that cannot write them takes it."""
STACKS_END = "in <module>\n"
"""The outermost frame of the main thread, which is written last."""
SHOWN_TESTS = 5
SHOWN_FRAMES = 6
MAX_FAILURE_CHARACTERS = 5000
"""Of the end of a failed test's report."""


def watch(config: pytest.Config) -> None:
    """Watch the run, if this process hands the tests out; else write its stacks when it is asked to."""
    config.pluginmanager.register(KeptLimit(), "kept-limit")
    if measuring.distributes(config):
        minutes = float(os.environ.get("RUN_MINUTES", "inf"))
        pause = float(config.getini("faulthandler_timeout")) + MARGIN_SECONDS
        config.pluginmanager.register(RunLimit(60 * minutes, pause), "run-limit")
    elif (given := getattr(config, "workerinput", {}).get("stacks")) is not None:
        name = f"{config.workerinput['workerid']}-{os.getpid()}"  # pyrefly: ignore[missing-attribute]
        file = (Path(given) / name).open("w", encoding="utf-8")
        faulthandler.register(signal.SIGUSR2, file)
        config.add_cleanup(file.close)
        config.add_cleanup(lambda: faulthandler.unregister(signal.SIGUSR2))


class KeptLimit:
    """Keeps the limit of a process (`faulthandler_timeout`) until a failed test's fixtures have ended.

    pytest cancels it when a test fails, because a debugger may be started then.
    """

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector) -> Iterator[None]:
        """Let pytest cancel nothing, unless it starts a debugger."""
        cancel = faulthandler.cancel_dump_traceback_later
        if not node.config.getoption("usepdb"):
            faulthandler.cancel_dump_traceback_later = lambda: None
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later = cancel


class RunLimit:
    """Ends a run that takes too long.

    Args:
        limit: seconds that the whole run may take.
        pause: seconds in which a test has to begin or to end.
    """

    def __init__(self, limit: float, pause: float) -> None:
        self._limit, self._pause = limit, pause
        self._folder = tempfile.TemporaryDirectory(prefix="vertexkit-stacks-")
        self._began = self._changed = time.monotonic()
        self._running: dict[str, float] = {}
        """Since when a test runs."""
        self._seconds: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._failed: dict[str, pytest.TestReport] = {}
        self._ended = threading.Event()
        self._deciding = threading.Lock()
        """Held while the watching thread decides, and not released once it ends the process."""

    def pytest_configure_node(self, node: object) -> None:
        """Give a process that runs tests the folder for its stacks."""
        node.workerinput["stacks"] = self._folder.name  # pyrefly: ignore[missing-attribute]

    def pytest_handlecrashitem(self, crashitem: str, sched: object) -> None:
        """Do not run a test again that ended its process: it would take the same time each time."""
        for tests in getattr(sched, "workqueue", {}).values():  # no other way runs it again
            if crashitem in tests:
                tests[crashitem] = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_testnodedown(self) -> None:
        """Leave the end of this process to the watching thread, if that has killed the other one."""
        with self._deciding:
            return

    def pytest_sessionstart(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="run-limit", daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        """Stop watching: what follows does not run tests."""
        with self._deciding:
            self._ended.set()
        self._folder.cleanup()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note which test runs."""
        self._changed = self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note how long a test took."""
        self._changed = time.monotonic()
        self._seconds[nodeid] = round(self._changed - self._running.pop(nodeid, self._changed))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the result of a test."""
        if report.failed:
            self._failed[report.nodeid] = report
        if report.when == "call" or report.skipped:
            self._outcomes[report.outcome] += 1

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            with self._deciding:
                if not self._ended.is_set():
                    self._end_if_late()

    def _end_if_late(self) -> None:
        now = time.monotonic()
        if now - self._began > self._limit:
            self._end(f"The tests did not end within {self._limit:.0f} s.")
        if now - self._changed > self._pause:
            self._end(f"No test began or ended for {self._pause:.0f} s.")

    def _end(self, reason: str) -> NoReturn:
        """Print what did not end; end this process, and those that run tests."""
        workers = dict(self._workers())
        for process in workers:
            _send(process, signal.SIGUSR2)
        waited_until = time.monotonic() + STACKS_SECONDS
        while time.monotonic() < waited_until and not all(
            path.read_text("utf-8").endswith(STACKS_END) for path in workers.values()
        ):
            time.sleep(0.05)
        lines = [*self._failures(), reason, *self._summary()]
        for process, path in workers.items():
            lines += [f"{path.name}: {_state(process)}", *_main_thread(path.read_text("utf-8"))]
        print("\n", *lines, sep="\n", file=sys.__stderr__, flush=True)
        for process in workers:
            _send(process, signal.SIGKILL)
        os._exit(1)

    def _workers(self) -> Iterator[tuple[int, Path]]:
        for path in sorted(Path(self._folder.name).iterdir()):
            yield int(path.name.rpartition("-")[2]), path

    def _failures(self) -> Iterator[str]:
        """What pytest would print of the failed tests at the end of the run."""
        for test, report in list(self._failed.items())[:SHOWN_TESTS]:
            yield f"{test}:\n{report.longreprtext[-MAX_FAILURE_CHARACTERS:]}\n"

    def _summary(self) -> Iterator[str]:
        counts = (f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        yield ", ".join(counts) or "No test has ended."
        now = time.monotonic()
        yield from _shown(
            "Failed", [f"{test}: {_reason(report)}" for test, report in self._failed.items()]
        )
        yield from _shown(
            "Running", [f"{test} ({now - since:.0f} s)" for test, since in self._running.items()]
        )
        slowest = self._seconds.most_common(SHOWN_TESTS)
        yield from _shown("Slowest", [f"{test} ({seconds} s)" for test, seconds in slowest])


def _shown(title: str, texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:SHOWN_TESTS]:
        yield f"{title}: {text}"
    if len(texts) > SHOWN_TESTS:
        yield f"{title}: {len(texts) - SHOWN_TESTS} more"


def _reason(report: pytest.TestReport) -> str:
    """Return the beginning of a failure's message."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return (crash.message if crash else report.longreprtext).strip().partition("\n")[0][:150]


def _main_thread(stacks: str) -> list[str]:
    """Return the innermost frames of the main thread, which is printed last."""
    frames = stacks.rstrip().rpartition("(most recent call first):\n")[2].splitlines()
    return frames[:SHOWN_FRAMES]


def _send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _state(process: int) -> str:
    """Return what the kernel says about a process."""
    try:
        status = Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return "has ended, or its state cannot be read"
    return next(line for line in status.splitlines() if line.startswith("State:"))
