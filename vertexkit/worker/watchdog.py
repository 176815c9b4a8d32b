"""The watchdog notices a blocked event loop, and reports the handler that blocks it."""

import asyncio
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Protocol, Self

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.context.context import Context
from vertexkit.context.sync import SyncContext
from vertexkit.system.supervision import Supervisor

HEARTBEAT_SECONDS = 0.25
"""How often the loop's lag is measured."""
REPORT_AGAIN_FACTOR = 10.0
"""A loop that is still blocked is reported again when it was blocked this many times as long."""
LOGGED_FRAMES = 8
"""Number of innermost stack frames in a log line."""
LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).parents[1])}
)
"""Folders that contain no code of an app's author."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class WatchdogObserver(Protocol):
    """Is informed about the event loop."""

    def loop_lagged(self, seconds: float) -> None:
        """The loop ran a timer late. Called several times a second, on the loop."""

    def loop_blocked(self, block: str, place: str) -> None:
        """A handler blocks the loop. Called on the watchdog's thread.

        Args:
            block: The handler's block; empty if it is not known.
            place: Line and function of the author's code: `FILE:LINE in FUNCTION`.
        """


class Watchdog:
    """A context manager that watches the running event loop from a thread of its own.

    A blocked loop answers no call and sends no message: a handler computes, or waits for something
    without `await`. Code that holds Python's global interpreter lock stops this thread too.

    Args:
        threshold: Seconds for which the loop may be blocked before a warning names the handler;
            0: only the lag is measured.
        observer: Is informed about the loop.
        supervisor: Is informed if the thread dies.
    """

    def __init__(
        self, threshold: float, observer: WatchdogObserver, supervisor: Supervisor
    ) -> None:
        self.is_loop_blocked: bool = False
        """Whether the loop was blocked for longer than the threshold at the last heartbeat."""
        self._threshold = threshold
        self._observer = observer
        self._supervisor = supervisor
        self._interval = min(HEARTBEAT_SECONDS, threshold / 2) if threshold else HEARTBEAT_SECONDS
        self._due = 0.0
        """When the next heartbeat is due, by `time.monotonic`."""
        self._reported_due: float | None = None
        """The missed heartbeat that was reported last; None since the loop runs again."""
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        self._set_timer(asyncio.get_running_loop())
        if self._threshold:
            self._thread = threading.Thread(
                target=self._run,
                args=(asyncio.get_running_loop(), threading.get_ident()),
                name="vertexkit-watchdog",
                daemon=True,
            )
            self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join(self._threshold)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = time.monotonic() + self._interval
        self._timer = loop.call_later(self._interval, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """The heartbeat; it runs on the loop."""
        lag = max(0.0, time.monotonic() - self._due)
        self.is_loop_blocked = 0 < self._threshold < lag
        self._observer.loop_lagged(lag)
        if self._reported_due is not None:
            self._reported_due = None
            log.warning("loop_unblocked", seconds=round(lag, 3))
        self._set_timer(loop)

    def _run(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        """Watch the loop; it runs on the watchdog's thread."""
        try:
            self._watch(loop_thread)
        except Exception as error:  # noqa: BLE001 - reported where it is seen
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._supervisor.report, "watchdog", error)

    def _watch(self, loop_thread: int) -> None:
        """Report missed heartbeats."""
        interval, report_after = self._threshold / 2, 0.0
        last_look = time.monotonic()
        while not self._stopped.wait(interval):
            now, due = time.monotonic(), self._due
            # If this thread woke up late too, the whole process was stopped (by SIGSTOP).
            was_stopped = now - last_look > interval + self._threshold
            last_look = now
            if now - due < self._threshold or was_stopped:
                continue
            is_new = self._reported_due != due
            self._reported_due = due
            if is_new or now - due >= report_after:
                report_after = (now - due) * REPORT_AGAIN_FACTOR
                self._report(now - due, loop_thread, is_new=is_new)

    def _report(self, seconds: float, loop_thread: int, *, is_new: bool) -> None:
        innermost = sys._current_frames().get(loop_thread)  # noqa: SLF001 - the documented way
        frames = [] if innermost is None else list(_outwards(innermost))
        context = next((found for frame in frames if (found := _context_in(frame))), None)
        block = "" if context is None else context.block
        place = _place(next(filter(_is_authors, frames), frames[0])) if frames else ""
        log.warning(
            "loop_blocked",
            seconds=round(seconds, 3),
            block=block,
            execution="" if context is None else context.execution_id,
            at=place,
            stack=[_place(frame) for frame in frames[:LOGGED_FRAMES]],
        )
        if is_new:
            self._observer.loop_blocked(block, place)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _context_in(frame: FrameType) -> Context | SyncContext | None:
    """Return the handler's context if it is a local variable of this frame."""
    for value in frame.f_locals.values():
        if isinstance(value, (Context, SyncContext)):
            return value
    return None


def _is_authors(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith((*LIBRARIES, "<"))


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
