"""The timer that ends a process: its thread may get its first turn at any moment."""

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from vertexkit.cli.serve import exit_timer
from vertexkit.cli.serve.exit_timer import ExitTimer


class LateThread:
    """A thread that runs only when the test says so."""

    started: "LateThread"

    def __init__(self, target: Callable[[], None], **_: object) -> None:
        self.run = target

    def start(self) -> None:
        LateThread.started = self


class Turn(Exception):
    """The end of the thread's first turn."""


async def test_a_loop_is_not_blocked_because_the_thread_begins_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a grace period the loop is watched at once, which may be before the thread runs."""

    def sleep(_: float) -> None:
        raise Turn("watches on")

    def exit_process(_: int) -> None:
        raise Turn("exits")

    threads = SimpleNamespace(Thread=LateThread, enumerate=threading.enumerate)
    monkeypatch.setattr(exit_timer, "threading", threads)
    monkeypatch.setattr(exit_timer, "time", SimpleNamespace(monotonic=lambda: 1000.0, sleep=sleep))
    monkeypatch.setattr(exit_timer, "os", SimpleNamespace(_exit=exit_process))
    timer = ExitTimer()
    timer.set(60, 1)
    timer.watch_loop(asyncio.get_running_loop(), 0, 3)
    with pytest.raises(Turn, match="watches on"):
        LateThread.started.run()
