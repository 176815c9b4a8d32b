"""A clock whose waits take no time, for tests: it replaces `Clock`."""

import asyncio
from collections.abc import Callable

from vertexkit.clock import Clock, Timer

SETTLE_ROUNDS = 50
"""Rounds of the event loop before and after `SETTLE_SECONDS`, for work that moves between tasks."""
SETTLE_SECONDS = 0.001
"""Real seconds that sockets and threads get before time jumps."""


class VirtualClock(Clock):
    """A clock that jumps to the next sleeper's time as soon as there is nothing else to do.

    `now()` and `unix()` are real time plus the skipped time, so they always advance and never go
    back. Sleepers wake one at a time, in the order of their times, and the work that one of them
    starts is done before the next jump.

    The clock does not see waits outside of it (a thread, a socket, `asyncio.sleep`): time may jump
    during them. A wait that must not advance time, such as a deadline, uses `timer`.
    """

    def __init__(self) -> None:
        self._skipped = 0.0
        self._schedules: dict[asyncio.AbstractEventLoop, _Schedule] = {}

    def now(self) -> float:
        """Return monotonic seconds: real time plus skipped time."""
        return super().now() + self._skipped

    def unix(self) -> float:
        """Return seconds since 1970: real time plus skipped time."""
        return super().unix() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has advanced by these seconds: after some milliseconds at most."""
        if seconds > 0:
            await self._schedule().sleep(self.now() + seconds)
        else:
            await asyncio.sleep(0)

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has advanced by these seconds; a timer causes no jump."""
        return _Wait(self._schedule(), self.now() + seconds, callback)

    def skip_to(self, due: float) -> None:
        """Advance `now()` to `due` at once, without waking the sleepers in between."""
        self._skipped += max(0.0, due - self.now())

    def _schedule(self) -> "_Schedule":
        loop = asyncio.get_running_loop()
        return self._schedules.setdefault(loop, _Schedule(self, loop))


class _Schedule:
    """All sleepers and timers of one event loop."""

    def __init__(self, clock: VirtualClock, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = clock
        self.loop = loop
        self.waits: list[_Wait] = []
        self._watching = False

    async def sleep(self, due: float) -> None:
        woken = asyncio.Event()
        wait = _Wait(self, due, woken.set, is_sleeper=True)
        if not self._watching:
            self._watch(0)
        try:
            await woken.wait()
        finally:
            wait.cancel()

    def _watch(self, step: int) -> None:
        self._watching = any(wait.is_sleeper for wait in self.waits)
        if self._watching and step == SETTLE_ROUNDS:
            self.loop.call_later(SETTLE_SECONDS, self._watch, step + 1)
        elif self._watching:
            self.loop.call_soon(self._watch, (step + 1) % (2 * SETTLE_ROUNDS))
            if step == 2 * SETTLE_ROUNDS - 1:
                self._jump()

    def _jump(self) -> None:
        first = min(self.waits, key=lambda wait: wait.due)
        self.clock.skip_to(first.due)
        for wait in self.waits:
            wait.arm()
        first.fire()


class _Wait:
    """A sleeper, which makes time jump, or a timer, which uses a timer of the event loop."""

    def __init__(
        self,
        schedule: _Schedule,
        due: float,
        callback: Callable[[], object],
        *,
        is_sleeper: bool = False,
    ) -> None:
        self.due = due
        self.is_sleeper = is_sleeper
        self._schedule = schedule
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None
        schedule.waits.append(self)
        self.arm()

    def arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if not self.is_sleeper:
            remaining = self.due - self._schedule.clock.now()
            self._handle = self._schedule.loop.call_later(max(0.0, remaining), self.fire)

    def fire(self) -> None:
        if self._schedule.clock.now() < self.due:
            self.arm()
        else:
            self.cancel()
            self._callback()

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self in self._schedule.waits:
            self._schedule.waits.remove(self)
