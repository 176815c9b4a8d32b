"""The journal of tests and trials: everything in this process's memory."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from vertexkit.clock import Clock
from vertexkit.errors import Fenced, QueueFull
from vertexkit.execution import Effect, Execution, Outcome
from vertexkit.journal.base import Acceptance, Lease, Phase, Record, Renewal, Result

KEPT = 1000
"""Settled executions that can still be looked up."""
DUPLICATE_FOR = 24 * 3600.0
"""Seconds for which a unique token is remembered after its execution."""
FIXED = ""
"""The queue of those whose result is fixed: they need no handler, and so no room."""
REMEMBERED = 100_000
"""Unique tokens that are remembered, at most."""


@dataclass(slots=True)
class _Row:
    execution: Execution
    key: bytes
    phase: Phase = Phase.WAITING
    epoch: int = 0
    attempts: int = 0
    worker: str = ""
    effects: dict[int, Effect] = field(default_factory=dict)
    result: Result | None = None
    completion_tried: bool = False
    superseded: bool = False
    followers: list[str] = field(default_factory=list)
    """Executions of the same call that wait for this one to settle."""


class MemoryJournal:
    """Keeps executions in memory: a process that ends takes them along.

    Args:
        clock: for leases and for what is to run again later.
        lease: seconds for which a silent worker keeps its executions.
        unique_tokens: a token belongs to one execution; the same call again within 24 hours is a
            duplicate even after its end.
    """

    promise = (
        "memory: keeps executions in this process alone; what is unfinished when it is killed "
        "is lost, and its dialogs hang"
    )
    survives = False

    def __init__(self, clock: Clock, lease: float = 30.0, *, unique_tokens: bool = False) -> None:
        self._clock = clock
        self._lease = lease
        self._unique = unique_tokens
        self._rows: dict[str, _Row] = {}
        self._latest: dict[bytes, _Row] = {}
        self._waiting: dict[str, deque[_Row]] = {}
        self._held: OrderedDict[str, float] = OrderedDict()
        self._settled: OrderedDict[str, Record] = OrderedDict()
        self._seen: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._alarms: dict[str, asyncio.Task[None]] = {}
        self._running = 0
        self._ready: Callable[[], None] = lambda: None

    async def open(self, ready: Callable[[], None]) -> None:
        self._ready = ready

    async def close(self) -> None:
        for alarm in self._alarms.values():
            alarm.cancel()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        key = execution.key
        row = self._latest.get(key)
        if row is not None and not row.completion_tried:
            return Acceptance(row.execution.id, new=False)
        if self._unique and (known := row.execution.id if row else self._seen_lately(key)):
            return Acceptance(known, new=False)
        if self.backlog() >= room:
            raise QueueFull(f"{room} executions wait already")
        new = _Row(execution, key)
        self._rows[execution.id] = self._latest[key] = new
        if row is None:
            self._enqueue(new)
            return Acceptance(execution.id, new=True)
        row.superseded = True
        row.followers.append(execution.id)
        return Acceptance(execution.id, new=True, supersedes=row.execution.id)

    async def claim(
        self, worker: str, room: Mapping[str, int], limit: int, *, early: bool = False
    ) -> list[Lease]:
        self._expire()
        if early:
            for execution, alarm in list(self._alarms.items()):
                alarm.cancel()
                self._due(self._rows[execution])
        claimed: list[_Row] = []
        for block, places in ((FIXED, limit), *room.items()):
            if waiting := self._waiting.get(block):
                number = min(len(waiting), places, limit - len(claimed))
                claimed.extend([waiting.popleft() for _ in range(number)])
        return [self._hold(row, worker) for row in claimed]

    def _hold(self, row: _Row, worker: str) -> Lease:
        row.epoch += 1
        row.worker = worker
        if row.result is None:
            row.attempts += 1
            row.phase = Phase.RUNNING
            self._running += 1
        else:
            row.phase = Phase.COMPLETING
        self._held[row.execution.id] = self._clock.now() + self._lease
        return Lease(
            row.execution,
            worker,
            row.epoch,
            row.attempts,
            dict(row.effects),
            row.result,
            row.completion_tried,
        )

    def _expire(self) -> None:
        """Take back what silent workers hold. The oldest hold comes first."""
        while self._held:
            execution, until = next(iter(self._held.items()))
            if until > self._clock.now():
                return
            del self._held[execution]
            self._wait_again(self._rows[execution])

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        lost, superseded = set(), set()
        until = self._clock.now() + self._lease
        for execution in executions:
            row = self._rows.get(execution)
            if row is None or row.worker != worker or execution not in self._held:
                lost.add(execution)
                continue
            self._held[execution] = until
            self._held.move_to_end(execution)
            if row.superseded:
                superseded.add(execution)
        return Renewal(frozenset(lost), frozenset(superseded))

    async def intend(self, lease: Lease, effect: Effect) -> None:
        self._owned(lease).effects[effect.position] = effect

    async def confirm(self, lease: Lease, effect: Effect) -> None:
        self._owned(lease).effects[effect.position] = effect

    async def conclude(self, lease: Lease, result: Result) -> None:
        row = self._owned(lease)
        row.result = result
        self._leave_running(row)
        row.phase = Phase.COMPLETING

    async def try_completion(self, lease: Lease, *, sent: bool = True) -> bool:
        row = self._owned(lease)
        if row.superseded:
            return False
        row.completion_tried = sent
        return True

    async def release(self, lease: Lease, after: float) -> None:
        row = self._owned(lease)
        del self._held[lease.execution.id]
        if after <= 0:
            self._wait_again(row)
            return
        self._leave_running(row)
        row.phase = Phase.WAITING
        row.worker = ""
        self._alarms[lease.execution.id] = asyncio.get_running_loop().create_task(
            self._wake_later(row, after)
        )

    async def _wake_later(self, row: _Row, after: float) -> None:
        await self._clock.sleep(after)
        self._due(row)

    def _due(self, row: _Row) -> None:
        del self._alarms[row.execution.id]
        self._enqueue(row)

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        row = self._owned(lease)
        execution = row.execution
        self._leave_running(row)
        del self._held[execution.id]
        del self._rows[execution.id]
        if self._latest.get(row.key) is row:
            del self._latest[row.key]
        for follower in row.followers:
            self._enqueue(self._rows[follower])
        self._settled[execution.id] = Record(
            execution.id,
            execution.block,
            Phase.SETTLED,
            row.attempts,
            execution.accepted_at,
            tuple([_erased(each) for each in row.effects.values()]),
            None,
            outcome,
        )
        if len(self._settled) > KEPT:
            self._settled.popitem(last=False)
        if self._unique:
            self._seen[row.key] = (execution.id, self._clock.now() + DUPLICATE_FOR)
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)

    def backlog(self) -> int:
        return len(self._rows) - self._running

    async def find(self, execution: str) -> Record | None:
        row = self._rows.get(execution)
        if row is None:
            return self._settled.get(execution)
        return Record(
            execution,
            row.execution.block,
            row.phase,
            row.attempts,
            row.execution.accepted_at,
            tuple(row.effects.values()),
            row.result,
        )

    def _owned(self, lease: Lease) -> _Row:
        row = self._rows.get(lease.execution.id)
        if row is None or row.epoch != lease.epoch or lease.execution.id not in self._held:
            raise Fenced(f"execution {lease.execution.id} is no longer this worker's")
        return row

    def _leave_running(self, row: _Row) -> None:
        if row.phase is Phase.RUNNING:
            self._running -= 1

    def _wait_again(self, row: _Row) -> None:
        self._leave_running(row)
        row.phase = Phase.WAITING
        row.worker = ""
        self._enqueue(row)

    def _enqueue(self, row: _Row) -> None:
        queue = row.execution.block if row.result is None else FIXED
        self._waiting.setdefault(queue, deque()).append(row)
        self._ready()

    def _seen_lately(self, key: bytes) -> str | None:
        execution, until = self._seen.get(key, ("", 0.0))
        return execution if until > self._clock.now() else None


def _erased(effect: Effect) -> Effect:
    """An effect without what it gave back, but for the ids of a message."""
    return effect if effect.kind == "send" else replace(effect, value=b"")
