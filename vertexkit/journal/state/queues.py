"""Those who wait: for room, each block in a line of its own, or for a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from vertexkit.clock import Clock
from vertexkit.journal.state.row import FIXED, Row


class Queues:
    """Executions that wait to be claimed, the longest waiting first.

    Args:
        clock: for those that are to run again later.
    """

    def __init__(self, clock: Clock) -> None:
        self.ready: Callable[[], None] = lambda: None
        """Called whenever there may be something to take."""
        self._clock = clock
        self._lines: dict[str, deque[Row]] = {}
        self._alarms: dict[str, tuple[Row, asyncio.Task[None]]] = {}

    def close(self) -> None:
        """Wake nobody any more."""
        for _, alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()

    def put(self, row: Row) -> None:
        """It may be taken from now on."""
        self._lines.setdefault(row.queue, deque()).append(row)
        self.ready()

    def put_later(self, row: Row, seconds: float) -> None:
        """It may be taken in so many seconds."""
        row.due_at = self._clock.unix() + seconds
        alarm = asyncio.get_running_loop().create_task(self._wake(row, seconds))
        self._alarms[row.execution.id] = row, alarm

    async def _wake(self, row: Row, seconds: float) -> None:
        await self._clock.sleep(seconds)
        del self._alarms[row.execution.id]
        self.put(row)

    def wake_all(self) -> None:
        """Whoever is to run later may run now."""
        for row, alarm in self._alarms.values():
            alarm.cancel()
            self.put(row)
        self._alarms.clear()

    def take(self, room: Mapping[str, int], limit: int) -> list[Row]:
        """Up to `limit` of them, those with a fixed result first."""
        taken: list[Row] = []
        for block, places in ((FIXED, limit), *room.items()):
            if line := self._lines.get(block):
                number = min(len(line), places, limit - len(taken))
                taken.extend([line.popleft() for _ in range(number)])
        return taken

    def remove(self, row: Row) -> None:
        """It waits no more, wherever it waited."""
        if (waiting := self._alarms.pop(row.execution.id, None)) is not None:
            waiting[1].cancel()
        elif row in (line := self._lines.get(row.queue, deque())):
            line.remove(row)

    def blocks(self) -> set[str]:
        """The blocks that somebody waits for."""
        return {block for block, line in self._lines.items() if line and block != FIXED}
