"""Notices an event loop that stands still, and says whose handler holds it up."""

import asyncio
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Self

import structlog

from vertexkit.context.runtime import Facts, subject

BEAT = 0.25
"""Seconds between two looks at how late the loop is."""
AGAIN = 10.0
"""A loop that still stands is spoken of again after so many times as long."""
SHOWN = 8
"""Innermost calls that a line names."""
LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).parents[1])}
)
"""Where no author writes."""

log = structlog.get_logger("vertexkit")


class Watchdog:
    """A context that watches the running event loop, from a thread of its own.

    A loop that stands still answers no call and sends no message: somewhere a handler computes,
    or waits for something without `await`. What holds Python's own lock stops this thread too.

    Args:
        patience: seconds for which the loop may stand; 0: it is measured, but nobody is named.
        late: told, some times a second, how late the loop came to what was due.
        blocked: told whenever it stands for too long of the block, empty if it is not known.
    """

    def __init__(
        self, patience: float, late: Callable[[float], None], blocked: Callable[[str], None]
    ) -> None:
        self.held_up = False
        """Has the loop just stood for too long?"""
        self._patience = patience
        self._late = late
        self._blocked = blocked
        self._beat_every = min(BEAT, patience / 2) if patience else BEAT
        self._due = 0.0
        self._told: float | None = None
        """When the beat was due that was spoken of."""
        self._timer: asyncio.TimerHandle | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        self._set_timer(asyncio.get_running_loop())
        if self._patience:
            self._thread = threading.Thread(
                target=self._watch,
                args=(threading.get_ident(),),
                name="vertexkit-watchdog",
                daemon=True,
            )
            self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join(self._patience)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = time.monotonic() + self._beat_every
        self._timer = loop.call_later(self._beat_every, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: it moves."""
        late = max(0.0, time.monotonic() - self._due)
        self.held_up = 0 < self._patience < late
        self._late(late)
        if self._told is not None:
            self._told = None
            log.warning("loop_unblocked", seconds=round(late, 3))
        self._set_timer(loop)

    def _watch(self, loop_thread: int) -> None:
        """On the thread: does it?"""
        pause, again = self._patience / 2, 0.0
        began = time.monotonic()
        while not self._over.wait(pause):
            now, due = time.monotonic(), self._due
            stopped, began = now - began > pause + self._patience, now
            if now - due < self._patience or stopped:  # the whole process was, as by SIGSTOP
                continue
            anew, self._told = self._told != due, due
            if anew or now - due >= again:
                again = (now - due) * AGAIN
                self._say(now - due, loop_thread, anew=anew)

    def _say(self, standing: float, loop_thread: int, *, anew: bool) -> None:
        innermost = sys._current_frames().get(loop_thread)  # noqa: SLF001 - the documented way
        frames = [] if innermost is None else list(_outwards(innermost))
        held = next((found for frame in frames if (found := _handler(frame))), None)
        block = "" if held is None else held[0]
        log.warning(
            "loop_blocked",
            seconds=round(standing, 3),
            block=block,
            execution="" if held is None else held[1],
            at=_place(next(filter(_is_authors, frames), *frames[:1])) if frames else "",
            stack=[_place(frame) for frame in frames[:SHOWN]],
        )
        if anew:
            self._blocked(block)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _handler(frame: FrameType) -> tuple[str, str] | None:
    """Block and execution, if this call was given the context of one."""
    for value in frame.f_locals.values():
        if isinstance(value, Facts):
            return subject(value)
    return None


def _is_authors(frame: FrameType) -> bool:
    return not frame.f_code.co_filename.startswith((*LIBRARIES, "<"))


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
