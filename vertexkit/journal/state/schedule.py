"""Executions that are due later, in the order of their times."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from itertools import count

from vertexkit.clock import Clock
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.system.supervision import Supervisor


class Schedule:
    """Executions that are due later. One timer serves all: there may be very many.

    Args:
        clock: measures the times.
        wait: waits for some seconds.
        put: is called with each execution that has become due.
        lost: is called if the timer fails.
    """

    def __init__(
        self,
        clock: Clock,
        wait: Callable[[float], Coroutine[None, None, None]],
        put: Callable[[ExecutionRow], None],
        lost: Callable[[str], object],
    ) -> None:
        self._clock = clock
        self._wait = wait
        self._put = put
        self._lost = lost
        self._rows: dict[str, tuple[int, ExecutionRow]] = {}
        """Its number here, and the execution, by the execution's id."""
        self._by_time: list[tuple[float, int, str]] = []
        """A heap: when it is due on the clock's `now()`, its number here, and the execution's id.
        What was removed is left in it until its time."""
        self._numbers = count()
        self._timer: asyncio.Task[None] | None = None
        self._timer_due = 0.0

    def __len__(self) -> int:
        return len(self._rows)

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
        self._rows.clear()
        self._by_time.clear()

    def add(self, row: ExecutionRow, seconds: float) -> None:
        """Add an execution that is due in a number of seconds."""
        row.due_at = self._clock.unix() + seconds
        due, number = self._clock.now() + seconds, next(self._numbers)
        self._rows[row.execution.id] = number, row
        heapq.heappush(self._by_time, (due, number, row.execution.id))
        if self._timer is None or due < self._timer_due:
            self._set_timer()

    def remove(self, row: ExecutionRow) -> bool:
        """Remove an execution; return whether it was there."""
        return self._rows.pop(row.execution.id, None) is not None

    def take_all(self) -> list[ExecutionRow]:
        """Remove and return all executions."""
        rows = [row for _, row in self._rows.values()]
        self._rows.clear()
        self._by_time.clear()
        return rows

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._by_time[0][0]
        self._timer = Supervisor(self._lost).start(
            "schedule of executions",
            self._wait_for_next(self._timer_due - self._clock.now()),
            endless=False,
        )

    async def _wait_for_next(self, seconds: float) -> None:
        await self._wait(seconds)
        now = max(self._timer_due, self._clock.now())
        self._timer = None
        while self._by_time and self._by_time[0][0] <= now:
            _, number, execution = heapq.heappop(self._by_time)
            scheduled, row = self._rows.get(execution, (-1, None))
            if row is not None and scheduled == number:
                del self._rows[execution]
                self._put(row)
        if self._by_time:
            self._set_timer()
