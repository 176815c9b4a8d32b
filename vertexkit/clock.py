"""The clock of vertexkit. It can be replaced, so that tests do not have to wait."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

UPTIME_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that counts while the machine is suspended; None on other systems."""


class Timer(Protocol):
    """A callback that is due later; see `Clock.timer`."""

    def cancel(self) -> None:
        """Cancel the callback. It has no effect after the callback has run."""


class Clock:
    """Real time. `vertexkit.testing.VirtualClock` is a clock whose waits take no time.

    All waits of vertexkit itself (back-off, `Retry`, deadlines) use a clock. What an author's
    handler awaits does not.
    """

    def now(self) -> float:
        """Return the monotonic time in seconds. Its zero is arbitrary."""
        return time.monotonic()

    def uptime(self) -> float:
        """Return monotonic seconds that also count while the machine is suspended.

        On systems without such a clock they do not count then. Its zero is arbitrary.
        """
        return time.clock_gettime(UPTIME_CLOCK) if UPTIME_CLOCK is not None else time.monotonic()

    def unix(self) -> float:
        """Return the Unix time in seconds, for people. Leases and deadlines do not use it."""
        return time.time()

    @property
    def skipped(self) -> float:
        """Seconds by which `now()` is ahead of real time: zero, except with clocks of tests."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        await asyncio.sleep(seconds)

    async def sleep_durably(self, seconds: float) -> None:
        """Wait for a number of seconds, on behalf of executions that are suspended."""
        await self.sleep(seconds)

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call the callback once, after a number of seconds, on the running loop.

        Args:
            seconds: Seconds until the call.
            callback: What is called; its result is ignored.

        Returns:
            A timer that can be cancelled.
        """
        return asyncio.get_running_loop().call_later(seconds, callback)

    def pause_timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Do the same as `timer`, for the end of a pause of a handler.

        A clock of tests advances to it as soon as the handler's tasks have nothing to do.
        """
        return self.timer(seconds, callback)

    def idle_timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Do the same as `timer`, for the limit of a handler's wait for what may never happen.

        A clock of tests advances to it when nothing has happened for a while.
        """
        return self.timer(seconds, callback)
