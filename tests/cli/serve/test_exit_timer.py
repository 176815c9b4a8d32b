"""The timer that ends a process: its thread may get its turns at any moment."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.waiting import PATIENCE_SECONDS
from vertexkit.cli.serve import exit_timer
from vertexkit.cli.serve.exit_timer import ExitTimer


class ManualThread:
    """The timer's thread, which runs when the test says so, and its clock.

    Attributes:
        now: of the clock.
        exits: exit codes of the process.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.exits: list[int] = []
        self._target: Callable[[], None]
        self._left = 0
        given = {"Thread": self._thread, "enumerate": threading.enumerate}
        monkeypatch.setattr(exit_timer, "threading", SimpleNamespace(**given))
        clock = {"monotonic": lambda: self.now, "sleep": self._sleep}
        monkeypatch.setattr(exit_timer, "time", SimpleNamespace(**clock))
        monkeypatch.setattr(exit_timer, "os", SimpleNamespace(_exit=self._exit))

    def _thread(self, target: Callable[[], None], name: str, **_: object) -> SimpleNamespace:
        if name == "vertexkit-exit":
            self._target = target
        return SimpleNamespace(start=lambda: None, join=lambda _: None)

    def _sleep(self, _: float) -> None:
        self._left -= 1
        if self._left == 0:
            raise ThreadPaused

    def _exit(self, code: int) -> None:
        self.exits.append(code)
        raise ThreadPaused

    def run(self, number: int = 1) -> None:
        """Let the thread look at the deadline and the loop a number of times."""
        self._left = number
        with pytest.raises(ThreadPaused):
            self._target()


class ThreadPaused(Exception):
    """The thread waits, or has ended the process."""


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> ManualThread:
    return ManualThread(monkeypatch)


def watch_at_once() -> None:
    """Stop a process without a grace period; its loop may be blocked for three seconds."""
    timer = ExitTimer()
    timer.set(60, 1)
    timer.watch_loop(asyncio.get_running_loop(), 0, 3)


async def test_a_loop_is_not_blocked_because_the_thread_begins_late(thread: ManualThread) -> None:
    """Without a grace period the loop is watched at once, which may be before the thread runs."""
    watch_at_once()
    thread.run()
    assert thread.exits == []


async def test_a_loop_is_not_blocked_because_the_process_was_stopped(thread: ManualThread) -> None:
    """By SIGSTOP or with its machine, for longer than a loop may be blocked."""
    watch_at_once()
    thread.run()
    thread.now += 30
    thread.run()
    assert thread.exits == []


async def test_a_blocked_loop_ends_the_process(thread: ManualThread) -> None:
    """One that has run meanwhile gets the whole time again."""
    watch_at_once()
    looks = round(3 / exit_timer.POLL_SECONDS)
    thread.run(looks)
    await asyncio.sleep(0)
    thread.run(looks)
    assert thread.exits == []
    thread.run()
    assert thread.exits == [1]


FULL_LOG = """
import array, fcntl, sys, termios, threading, time
import structlog
from vertexkit.cli.serve.exit_timer import ExitTimer
from vertexkit.telemetry import logs

logs.configure("json", "info")
log = structlog.get_logger("vertexkit")
threading.Thread(target=log.warning, args=("x" * 1_000_000,), daemon=True).start()
written, room = array.array("i", [0]), fcntl.fcntl(1, fcntl.F_GETPIPE_SZ)
while written[0] < room:
    fcntl.ioctl(1, termios.FIONREAD, written)
ExitTimer().set(0, 7)
threading.Event().wait()
"""
"""A process whose log is not read: the write of a line does not end."""


def test_a_log_that_is_not_read_does_not_keep_the_process() -> None:
    """The forced exit comes, although its own line cannot be written."""
    with subprocess.Popen([sys.executable, "-c", FULL_LOG], stdout=subprocess.PIPE) as process:
        try:
            assert process.wait(PATIENCE_SECONDS) == 7
        finally:
            process.kill()
