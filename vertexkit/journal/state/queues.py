"""Executions that wait: one queue for each block, and those scheduled for later."""

from collections import deque
from collections.abc import Mapping

from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal.protocol import JournalObserver, NullJournalObserver
from vertexkit.journal.state.row import RESULT_QUEUE, ExecutionRow
from vertexkit.journal.state.schedule import Schedule


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
        self._later = Schedule(clock, clock.sleep, self.put, self._lost)
        self._suspended = Schedule(clock, clock.sleep_durably, self.put, self._lost)

    def _lost(self, reason: str) -> None:
        self.observer.lost(reason)

    @property
    def suspended(self) -> int:
        """Number of executions that are suspended."""
        return len(self._suspended)

    def close(self) -> None:
        """Cancel all schedules."""
        self._later.close()
        self._suspended.close()

    def put(self, row: ExecutionRow) -> None:
        """Make an execution claimable."""
        if row.phase is Phase.SUSPENDED:
            row.phase = Phase.WAITING
        self._queues.setdefault(row.queue, deque()).append(row)
        self.observer.ready()

    def put_later(self, row: ExecutionRow, seconds: float) -> None:
        """Make an execution claimable in a number of seconds."""
        self._schedule(row).add(row, seconds)

    def _schedule(self, row: ExecutionRow) -> Schedule:
        return self._suspended if row.phase is Phase.SUSPENDED else self._later

    def wake(self, row: ExecutionRow) -> None:
        """Make an execution claimable if it is suspended."""
        if row.phase is Phase.SUSPENDED and self._suspended.remove(row):
            self.put(row)

    def put_all_now(self) -> None:
        """Make all scheduled executions claimable."""
        for row in (*self._later.take_all(), *self._suspended.take_all()):
            self.put(row)

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
        if self._schedule(row).remove(row):
            row.phase = Phase.WAITING
        elif row in (queue := self._queues.get(row.queue, deque())):
            queue.remove(row)

    def blocks(self) -> set[str]:
        """Return the blocks that executions wait for."""
        return {name for name, queue in self._queues.items() if queue and name != RESULT_QUEUE}
