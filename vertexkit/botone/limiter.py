"""Whose turn it is: a bounded number at once, the others in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable


class Limiter:
    """Gives out a fixed number of places.

    Does what `asyncio.Semaphore` under `asyncio.timeout` does, at a third of its cost when a
    thousand wait: there is one timer for all who wait, not one for each.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._tell: Callable[[], object] | None = None
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._watching = False

    @property
    def free(self) -> int:
        """Places that nobody has to wait for."""
        return self._free

    def when_free(self, callback: Callable[[], object]) -> None:
        """Call back once, as soon as a place is free that nobody waits for."""
        self._tell = callback

    async def take(self, patience: float) -> float:
        """Take a place; gives the seconds that were waited for it.

        Args:
            patience: seconds.

        Raises:
            TimeoutError: there was none for so long, give or take half a second.
        """
        if self._free > 0:
            self._free -= 1
            return 0.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((turn, began + patience))
        if not self._watching:
            self._watch(loop)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give_back()  # it got its place in the very moment it was cancelled
            raise
        return loop.time() - began

    def give_back(self) -> None:
        """Give a place back: to the first who still waits, if there is one."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
        if self._tell is not None:
            tell, self._tell = self._tell, None
            tell()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Twice a second, send those away who have waited too long."""
        for turn, until in self._waiting:
            if not turn.done() and until <= loop.time():
                turn.set_exception(TimeoutError())
        self._watching = bool(self._waiting)
        if self._watching:
            loop.call_later(0.5, self._watch, loop)
