"""The executions of one block that wait for its limits."""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import count

from vertexkit.clock import Clock
from vertexkit.journal.limits import CONCURRENCY, NO_LIMITS, RATE, BlockLimits
from vertexkit.journal.state.row import ExecutionRow


@dataclass(slots=True, eq=False)
class _Key:
    """The executions with one key."""

    name: str
    fresh: deque[tuple[int, ExecutionRow]] = field(default_factory=deque)
    """Those whose next run counts as a start, each with its number in the queue."""
    resumed: deque[tuple[int, ExecutionRow]] = field(default_factory=deque)
    """Those that were suspended: they have started before."""
    running: int = 0
    """Handlers that run."""
    starts: deque[float] = field(default_factory=deque)
    """When each start leaves the period of the rate, on the clock's `now()`."""
    blocked_by: str = ""
    """The limit that its first execution waits for."""
    is_ready: bool = False
    """It is in the heap of keys that may have an execution to claim."""
    looked_at: float = math.inf
    """Its time in the heap of keys that are blocked."""

    def __len__(self) -> int:
        return len(self.fresh) + len(self.resumed)

    def first_number(self) -> int:
        return min(waiting[0][0] for waiting in (self.fresh, self.resumed) if waiting)


class LimitedQueue:
    """The executions of a block with limits, by their keys, those that have waited longest first.

    A key whose limit is reached is set aside until one of its handlers ends or its time comes, so
    that a claim looks only at keys that may have an execution to claim.

    Args:
        clock: of the journal.
    """

    def __init__(self, clock: Clock) -> None:
        self.blocked: int = 0
        """Number of executions that wait for a limit."""
        self._waiting = 0
        self._limits = NO_LIMITS
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._numbers = count()
        self._ready: list[tuple[int, str]] = []
        """A heap: the number of a key's first execution, and the key."""
        self._rated: list[tuple[float, str]] = []
        """A heap: when a key may have a start again, and the key."""
        self._overdue: list[tuple[float, str]] = []
        """A heap: when the first execution of a key has waited too long, and the key."""
        self._expiring: list[tuple[float, str]] = []
        """A heap: when a start leaves the period, and its key."""

    def __len__(self) -> int:
        return self._waiting

    def put(self, row: ExecutionRow) -> None:
        """Add an execution that waits."""
        self._waiting += 1
        key = self._key(row.execution.limit_key or "")
        (key.resumed if row.resumes else key.fresh).append((next(self._numbers), row))
        if key.blocked_by:
            self.blocked += 1
        if not key.blocked_by or row.resumes:
            self._make_ready(key)

    def remove(self, row: ExecutionRow) -> bool:
        """Remove an execution; return whether it was there."""
        key = self._key(row.execution.limit_key or "")
        for waiting in (key.fresh, key.resumed):
            for entry in waiting:
                if entry[1] is row:
                    waiting.remove(entry)
                    self._waiting -= 1
                    self.blocked -= bool(key.blocked_by)
                    return True
        return False

    def take(self, places: int, limits: BlockLimits) -> list[ExecutionRow]:
        """Remove executions whose limit is not reached, and count them as running."""
        now = self._clock.now()
        if limits != self._limits:  # another version of the app
            self._limits = limits
            for key in self._keys.values():
                self._make_ready(key)
        self._forget_starts(now)
        for times in (self._rated, self._overdue):
            while self._first_time(times) <= now:
                free = self._keys[heapq.heappop(times)[1]]
                free.looked_at = math.inf
                self._make_ready(free)
        taken: list[ExecutionRow] = []
        while self._ready and len(taken) < places:
            first = self._keys.get(heapq.heappop(self._ready)[1])
            if first is None or not first.is_ready:
                continue
            first.is_ready = False
            row = self._take_first(first, limits, now)
            if row is not None:
                taken.append(row)
                self._waiting -= 1
                self._make_ready(first)
        return taken

    def end_run(self, name: str) -> None:
        """A handler of an execution with this key does not run any more."""
        key = self._key(name)
        key.running -= 1
        self._make_ready(key)
        self._drop_idle(key)

    def add_start(self, name: str, seconds: float) -> None:
        """Count a start of an earlier process, which leaves the period in some seconds."""
        self._count_start(self._key(name), self._clock.now() + seconds)

    def limit_of(self, row: ExecutionRow) -> str:
        """Return the limit that an execution waits for; empty if it waits for none."""
        key = self._keys.get(row.execution.limit_key or "")
        return "" if key is None else key.blocked_by

    def next_start_at(self) -> float:
        """Return when a key may have a start again, on the clock's `now()`."""
        return self._first_time(self._rated)

    def next_overdue_at(self) -> float:
        """Return when an execution has waited for a limit for too long, on the clock's `now()`."""
        return self._first_time(self._overdue)

    def _first_time(self, times: list[tuple[float, str]]) -> float:
        """Return the first time in a heap, without those of keys that are not blocked any more."""
        while times:
            at, name = times[0]
            key = self._keys.get(name)
            if key is not None and key.blocked_by and key.looked_at == at:
                return at
            if key is not None and key.looked_at == at:
                key.looked_at = math.inf
            heapq.heappop(times)
        return math.inf

    def _key(self, name: str) -> _Key:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = _Key(name)
        return key

    def _make_ready(self, key: _Key) -> None:
        if key.blocked_by:
            key.blocked_by = ""
            self.blocked -= len(key)
        if len(key) and not key.is_ready:
            key.is_ready = True
            heapq.heappush(self._ready, (key.first_number(), key.name))

    def _take_first(self, key: _Key, limits: BlockLimits, now: float) -> ExecutionRow | None:
        """Remove the first execution of a key, unless a limit is reached."""
        if not len(key):
            self._drop_idle(key)
            return None
        overdue_in = self._overdue_in(key, limits)
        if overdue_in <= 0:
            row = key.fresh.popleft()[1]
            row.overdue = True
        elif limits.running is not None and key.running >= limits.running:
            self._block(key, CONCURRENCY, now + overdue_in)
            return None
        elif key.resumed:
            row = key.resumed.popleft()[1]
        elif (rate := limits.rate) is None:
            row = key.fresh.popleft()[1]
        elif len(key.starts) < rate.number:
            row = key.fresh.popleft()[1]
            row.start_counts_for = rate.seconds
            self._count_start(key, now + rate.seconds)
        else:
            free_at = key.starts[len(key.starts) - rate.number]
            self._block(key, RATE, min(free_at, now + overdue_in))
            return None
        key.running += 1
        return row

    def _overdue_in(self, key: _Key, limits: BlockLimits) -> float:
        """Return in how many seconds the first execution has waited too long to be started."""
        if not key.fresh:
            return math.inf
        accepted_at = key.fresh[0][1].execution.accepted_at
        return accepted_at + limits.max_wait - self._clock.unix()

    def _block(self, key: _Key, limit: str, until: float) -> None:
        key.blocked_by = limit
        self.blocked += len(key)
        if until < key.looked_at:
            key.looked_at = until
            heapq.heappush(self._rated if limit == RATE else self._overdue, (until, key.name))

    def _count_start(self, key: _Key, until: float) -> None:
        key.starts.append(until)
        heapq.heappush(self._expiring, (until, key.name))

    def _forget_starts(self, now: float) -> None:
        while self._expiring and self._expiring[0][0] <= now:
            key = self._keys.get(heapq.heappop(self._expiring)[1])
            if key is not None:
                while key.starts and key.starts[0] <= now:
                    key.starts.popleft()
                self._drop_idle(key)

    def _drop_idle(self, key: _Key) -> None:
        """Forget a key that has no executions, no handlers and no starts in the period."""
        if not len(key) and key.running <= 0 and not key.starts:
            self._keys.pop(key.name, None)
