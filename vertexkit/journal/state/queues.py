"""Executions that wait: one queue for each block, and those scheduled for later."""

import asyncio
from collections import deque
from collections.abc import Mapping

from vertexkit.clock import Clock
from vertexkit.journal.protocol import JournalObserver, NullJournalObserver
from vertexkit.journal.state.row import RESULT_QUEUE, ExecutionRow
from vertexkit.system.supervision import Supervisor


class Queues:
    """Executions that wait to be claimed, those that have waited longest first.

    Args:
        clock: for executions that are scheduled for later.
    """

    def __init__(self, clock: Clock) -> None:
        self.observer: JournalObserver = NullJournalObserver()
        """Its `ready` is called when an execution becomes claimable."""
        self._clock = clock
        self._queues: dict[str, deque[ExecutionRow]] = {}
        self._timers: dict[str, tuple[ExecutionRow, asyncio.Task[None]]] = {}
        """By the execution's id."""

    def close(self) -> None:
        """Cancel all timers."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def put(self, row: ExecutionRow) -> None:
        """Make an execution claimable."""
        self._queues.setdefault(row.queue, deque()).append(row)
        self.observer.ready()

    def put_later(self, row: ExecutionRow, seconds: float) -> None:
        """Make an execution claimable in a number of seconds."""
        row.due_at = self._clock.unix() + seconds
        timer = Supervisor(self.observer.lost).start(
            "schedule of an execution", self._wait(row, seconds), endless=False
        )
        self._timers[row.execution.id] = row, timer

    async def _wait(self, row: ExecutionRow, seconds: float) -> None:
        await self._clock.sleep(seconds)
        del self._timers[row.execution.id]
        self.put(row)

    def put_all_now(self) -> None:
        """Make all scheduled executions claimable."""
        for row, timer in self._timers.values():
            timer.cancel()
            self.put(row)
        self._timers.clear()

    def take(self, room: Mapping[str, int], limit: int) -> list[ExecutionRow]:
        """Remove up to `limit` executions, those with a recorded result first."""
        taken: list[ExecutionRow] = []
        for block, places in ((RESULT_QUEUE, limit), *room.items()):
            if queue := self._queues.get(block):
                number = min(len(queue), places, limit - len(taken))
                taken.extend([queue.popleft() for _ in range(number)])
        return taken

    def remove(self, row: ExecutionRow) -> None:
        """Remove an execution that waits, or is scheduled for later."""
        if (scheduled := self._timers.pop(row.execution.id, None)) is not None:
            scheduled[1].cancel()
        elif row in (queue := self._queues.get(row.queue, deque())):
            queue.remove(row)

    def blocks(self) -> set[str]:
        """Return the blocks that executions wait for."""
        return {name for name, queue in self._queues.items() if queue and name != RESULT_QUEUE}
