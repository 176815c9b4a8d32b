"""Executions that wait: one queue for each block, and those scheduled for later."""

from collections import deque
from collections.abc import Mapping

from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal.limits import NO_LIMITS, FleetLimits
from vertexkit.journal.protocol import JournalObserver, NullJournalObserver
from vertexkit.journal.state.alarm import Alarm
from vertexkit.journal.state.limited_queue import LimitedQueue
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
        self._limited: dict[str, LimitedQueue] = {}
        """Executions of blocks with limits, by block."""
        self._turn = 0
        """Which block was the first one in the last claim with limits."""
        self._alarm = Alarm(clock, self._notify, self._lost)
        self._later = Schedule(clock, clock.sleep, self.put, self._lost)
        self._suspended = Schedule(clock, clock.sleep_durably, self.put, self._lost)

    def _lost(self, reason: str) -> None:
        self.observer.lost(reason)

    def _notify(self) -> None:
        self.observer.ready()

    @property
    def suspended(self) -> int:
        """Number of executions that are suspended."""
        return len(self._suspended)

    def close(self) -> None:
        """Cancel all schedules."""
        self._later.close()
        self._suspended.close()
        self._alarm.close()

    def put(self, row: ExecutionRow) -> None:
        """Make an execution claimable."""
        if row.phase is Phase.SUSPENDED:
            row.phase = Phase.WAITING
        row.overdue, row.start_counts_for, row.due_at = False, None, None
        if row.is_limited:
            self._limited_queue(row.execution.block).put(row)
        else:
            self._queues.setdefault(row.queue, deque()).append(row)
        self.observer.ready()

    def _limited_queue(self, block: str) -> LimitedQueue:
        queue = self._limited.get(block)
        if queue is None:
            queue = self._limited[block] = LimitedQueue(self._clock)
        return queue

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

    def take(
        self, room: Mapping[str, int], limit: int, limits: FleetLimits | None, running: int
    ) -> list[ExecutionRow]:
        """Remove up to `limit` executions, those with a recorded result first.

        Args:
            room: maximum number of executions per block.
            limit: maximum number of executions in total.
            limits: of the app; None: there are none.
            running: number of handlers that run.
        """
        taken: list[ExecutionRow] = []
        blocks = list(room.items())
        if limits is not None and blocks:  # no block is always the last one
            self._turn = (self._turn + 1) % len(blocks)
            blocks = blocks[self._turn :] + blocks[: self._turn]
        for block, places in ((RESULT_QUEUE, limit), *blocks):
            if limits is not None and limits.running is not None and block != RESULT_QUEUE:
                started = sum(row.result is None for row in taken)
                places = min(places, limits.running - running - started)  # noqa: PLW2901
            if queue := self._queues.get(block):
                number = max(0, min(len(queue), places, limit - len(taken)))
                taken.extend([queue.popleft() for _ in range(number)])
                places -= number  # noqa: PLW2901
            if self._limited and (limited := self._limited.get(block)) is not None:
                own = NO_LIMITS if limits is None else limits.blocks.get(block, NO_LIMITS)
                taken += limited.take(min(places, limit - len(taken)), own)
        if self._limited:
            self._set_alarm()
        return taken

    def _set_alarm(self) -> None:
        queues = self._limited.values()
        self._alarm.set(
            min(queue.next_start_at() for queue in queues),
            min(queue.next_overdue_at() for queue in queues),
        )

    def end_run(self, row: ExecutionRow) -> None:
        """The handler of an execution does not run any more: another one may start."""
        if (key := row.execution.limit_key) is not None:
            queue = self._limited_queue(row.execution.block)
            queue.end_run(key)
            if len(queue):
                self.observer.ready()

    def add_start(self, block: str, key: str, seconds: float) -> None:
        """Count a start of an earlier process against the rate of a block.

        Args:
            block: name of the block.
            key: `Execution.limit_key`.
            seconds: until it does not count any more.
        """
        self._limited_queue(block).add_start(key, seconds)

    def limit_of(self, row: ExecutionRow) -> str:
        """Return the limit that an execution waits for; empty if it waits for none."""
        queue = self._limited.get(row.execution.block) if row.is_limited else None
        return queue.limit_of(row) if queue is not None and row.phase is Phase.WAITING else ""

    def waiting_for_limits(self) -> dict[str, int]:
        """Return how many executions wait for a limit, by block."""
        return {name: queue.blocked for name, queue in self._limited.items() if queue.blocked}

    def remove(self, row: ExecutionRow) -> None:
        """Remove an execution that waits, or is scheduled for later."""
        if self._schedule(row).remove(row):
            row.phase = Phase.WAITING
        elif row.is_limited:
            self._limited_queue(row.execution.block).remove(row)
        elif queue := self._queues.get(row.queue):
            _remove(queue, row)

    def has_waiting(self) -> bool:
        """Whether an execution waits for a worker, or for a limit."""
        return any(self._queues.values()) or any(map(len, self._limited.values()))

    def blocks(self) -> set[str]:
        """Return the blocks that executions wait for."""
        limited = {name for name, queue in self._limited.items() if len(queue)}
        waiting = {name for name, queue in self._queues.items() if queue and name != RESULT_QUEUE}
        return waiting | limited


def _remove(queue: deque[ExecutionRow], row: ExecutionRow) -> None:
    """Remove an execution from a queue, if it is in it. The newest ones are found first."""
    for newer, waiting in enumerate(reversed(queue)):
        if waiting is row:
            del queue[-1 - newer]
            return
