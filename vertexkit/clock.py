"""The time that vertexkit itself waits by: one seam, so that tests need not wait."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What `Clock.timer` gives back."""

    def cancel(self) -> None:
        """Forget the callback; harmless once it has run."""


class Clock:
    """Real time. `vertexkit.testing` has one whose waits take no time.

    Everything that vertexkit waits for by itself (back-off, `Retry`, deadlines, leases) goes
    through a clock; what an author's handler awaits does not.
    """

    def now(self) -> float:
        """Seconds on a clock that never goes back; its zero means nothing."""
        return time.monotonic()

    def unix(self) -> float:
        """Seconds since 1970, for what people read. Leases and deadlines never use it."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once after so many seconds, on the running loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)
