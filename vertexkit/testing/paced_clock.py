"""A clock for development: pauses are shortened, and time can be skipped."""

import asyncio
import math
from collections.abc import Callable

from vertexkit.clock import Clock, Timer

MAX_PAUSE_SECONDS = 2.0
"""How long a pause between two tries takes at most."""
TOLERANCE_SECONDS = 1e-6
"""A wait that is due this soon is due: sums of floats are not exact."""


class PacedClock(Clock):
    """Real time, except that pauses pass faster, and that a developer can skip time.

    When a pause of vertexkit (a back-off, a `Retry`, simulated typing) ends early, the clock is
    advanced by the rest of it, so that everything else sees the time that has passed. Deadlines
    and durable waits take real time; `skip` advances them.

    Args:
        speed: how many times faster pauses pass; `math.inf`: they take no time.
        max_pause: real seconds that a pause takes at most.
    """

    def __init__(self, speed: float = 1.0, max_pause: float = MAX_PAUSE_SECONDS) -> None:
        self.speed: float = speed
        """How many times faster the pauses pass that start from now on."""
        self._max_pause = max_pause
        self._skipped = 0.0
        self._waits: set[_Wait] = set()

    @property
    def skipped(self) -> float:
        """Seconds by which the clock is ahead of real time."""
        return self._skipped

    def now(self) -> float:
        """Return monotonic seconds: real time plus what was skipped."""
        return super().now() + self._skipped

    def unix(self) -> float:
        """Return the Unix time in seconds: real time plus what was skipped."""
        return super().unix() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Wait for a pause, which passes at the clock's speed."""
        due = self.now() + seconds
        shortened = 0.0 if math.isinf(self.speed) else seconds / self.speed
        await self._sleep(seconds, min(shortened, self._max_pause))
        self._skipped += max(0.0, due - self.now())
        self._rearm()

    async def sleep_durably(self, seconds: float) -> None:
        """Wait in real time, unless time is skipped."""
        await self._sleep(seconds, seconds)

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back after these seconds of real time, or when they have been skipped."""
        return self._wait(seconds, seconds, callback)

    def skip(self, seconds: float) -> None:
        """Advance the clock: everything that is due until then happens now."""
        self._skipped += max(0.0, seconds)
        self._rearm()

    async def _sleep(self, seconds: float, real_seconds: float) -> None:
        if seconds <= 0 or real_seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        wait = self._wait(seconds, real_seconds, woken.set)
        try:
            await woken.wait()
        finally:
            wait.cancel()

    def _wait(self, seconds: float, real_seconds: float, callback: Callable[[], object]) -> "_Wait":
        wait = _Wait(self.now() + seconds, callback, self._waits.discard)
        self._waits.add(wait)
        wait.arm(real_seconds)
        return wait

    def _rearm(self) -> None:
        now = self.now()
        for wait in sorted(self._waits, key=lambda wait: wait.due):
            wait.arm_earlier(wait.due - now)


class _Wait:
    """A callback that is due at a time of the clock, or earlier.

    Args:
        due: the time.
        callback: is called once.
        ended: is called with this wait when it ends.
    """

    def __init__(
        self, due: float, callback: Callable[[], object], ended: "Callable[[_Wait], object]"
    ) -> None:
        self.due = due
        self._callback = callback
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, real_seconds: float) -> None:
        """Call back after real seconds."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(max(0.0, real_seconds), self._fire)

    def arm_earlier(self, real_seconds: float) -> None:
        """Call back after real seconds, unless that is due earlier already."""
        due = self._loop.time() + max(0.0, real_seconds)
        if self._handle is None or due < self._handle.when() - TOLERANCE_SECONDS:
            self.arm(real_seconds)

    def cancel(self) -> None:
        """Do not call back."""
        self._ended(self)
        if self._handle is not None:
            self._handle.cancel()

    def _fire(self) -> None:
        self._ended(self)
        self._callback()
