"""Reports when something may be claimable without a change: a limit has become free by itself."""

import asyncio
import math
from collections.abc import Callable

from vertexkit.clock import Clock, Timer
from vertexkit.system.supervision import Supervisor


class Alarm:
    """Calls back at the earlier of two times, each of which may change.

    Args:
        clock: measures the times.
        ring: is called.
        lost: is called if the alarm fails.
    """

    def __init__(
        self, clock: Clock, ring: Callable[[], object], lost: Callable[[str], object]
    ) -> None:
        self._clock = clock
        self._ring = ring
        self._lost = lost
        self._sleep_until = math.inf
        self._sleeper: asyncio.Task[None] | None = None
        self._timer_until = math.inf
        self._timer: Timer | None = None

    def set(self, wake_at: float, check_at: float) -> None:
        """Set both times, on the clock's `now()`; an infinite one is none.

        Args:
            wake_at: the time of a wait, to which a virtual clock jumps if nothing else happens.
            check_at: the time of a deadline, to which it does not.
        """
        if wake_at != self._sleep_until:
            self._stop_sleeping()
            self._sleep_until = wake_at
            if wake_at < math.inf:
                self._sleeper = Supervisor(self._lost).start(
                    "alarm of limits", self._sleep(wake_at), endless=False
                )
        if check_at != self._timer_until:
            self._stop_timer()
            self._timer_until = check_at
            if check_at < math.inf:
                seconds = max(0.0, check_at - self._clock.now())
                self._timer = self._clock.timer(seconds, self._check)

    def close(self) -> None:
        """Stop."""
        self._stop_sleeping()
        self._stop_timer()

    async def _sleep(self, until: float) -> None:
        await self._clock.sleep_durably(until - self._clock.now())
        self._sleeper, self._sleep_until = None, math.inf
        self._ring()

    def _check(self) -> None:
        self._timer, self._timer_until = None, math.inf
        self._ring()

    def _stop_sleeping(self) -> None:
        if self._sleeper is not None:
            self._sleeper.cancel()
        self._sleeper, self._sleep_until = None, math.inf

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_until = None, math.inf
