"""Time whose waits take no time: what a test gives to vertexkit in place of `Clock`."""

import asyncio
from collections.abc import Callable

from vertexkit.clock import Clock, Timer

ROUNDS = 50
"""Limiter the loop gets before and after `GRACE`, for work that hops from task to task."""
GRACE = 0.001
"""Real seconds given to this machine's sockets and threads before time jumps."""


class VirtualClock(Clock):
    """A clock that jumps to the next sleeper's hour as soon as nothing else is left to do.

    `now()` and `unix()` are real time plus what was skipped, so they never stand still and never
    go back. Sleepers wake one at a time, in the order in which they are due, and what each one
    sets off has run before the next jump.

    Waits outside the clock (a thread, a socket, `asyncio.sleep`) are not seen: time may jump
    meanwhile. What ought not to push time on, such as a deadline, waits with `timer`.
    """

    def __init__(self) -> None:
        self._skipped = 0.0
        self._rooms: dict[asyncio.AbstractEventLoop, _Room] = {}

    def now(self) -> float:
        """Monotonic seconds: the real ones and the skipped ones."""
        return super().now() + self._skipped

    def unix(self) -> float:
        """Seconds since 1970: the real ones and the skipped ones."""
        return super().unix() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Come back when the clock is so many seconds on: after a few milliseconds at most."""
        await (self._room().sleep(self.now() + seconds) if seconds > 0 else asyncio.sleep(0))

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has passed so many seconds; time never jumps for its sake."""
        return _Wait(self._room(), self.now() + seconds, callback)

    def skip_to(self, due: float) -> None:
        """Let `now()` be at least `due`, at once and without a look at who waits."""
        self._skipped += max(0.0, due - self.now())

    def _room(self) -> "_Room":
        loop = asyncio.get_running_loop()
        return self._rooms.setdefault(loop, _Room(self, loop))


class _Room:
    """All who wait in one event loop."""

    def __init__(self, clock: VirtualClock, loop: asyncio.AbstractEventLoop) -> None:
        self.clock, self.loop = clock, loop
        self.waits: list[_Wait] = []
        self._watching = False

    async def sleep(self, due: float) -> None:
        woken = asyncio.Event()
        wait = _Wait(self, due, woken.set, pushes=True)
        if not self._watching:
            self._watch(0)
        try:
            await woken.wait()
        finally:
            wait.cancel()

    def _watch(self, turn: int) -> None:
        self._watching = any(wait.pushes for wait in self.waits)
        if self._watching and turn == ROUNDS:
            self.loop.call_later(GRACE, self._watch, turn + 1)
        elif self._watching:
            self.loop.call_soon(self._watch, (turn + 1) % (2 * ROUNDS))
            if turn == 2 * ROUNDS - 1:
                self._jump()

    def _jump(self) -> None:
        first = min(self.waits, key=lambda wait: wait.due)
        self.clock.skip_to(first.due)
        for wait in self.waits:
            wait.arm()
        first.ring()


class _Wait:
    """A sleeper, who pushes time on, or a timer, which goes by an alarm of the loop."""

    def __init__(
        self, room: _Room, due: float, callback: Callable[[], object], *, pushes: bool = False
    ) -> None:
        self.due, self.pushes = due, pushes
        self._room, self._callback = room, callback
        self._alarm: asyncio.TimerHandle | None = None
        room.waits.append(self)
        self.arm()

    def arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if not self.pushes:
            left = self.due - self._room.clock.now()
            self._alarm = self._room.loop.call_later(max(0.0, left), self.ring)

    def ring(self) -> None:
        if self._room.clock.now() < self.due:
            self.arm()
        else:
            self.cancel()
            self._callback()

    def cancel(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self in self._room.waits:
            self._room.waits.remove(self)
