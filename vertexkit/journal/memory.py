"""The journal of tests and trials: everything in this process's memory."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping

from vertexkit.clock import Clock
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Effect, Execution, Outcome, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Acceptance, Lease, Query, Record, Renewal
from vertexkit.journal.state.operations import DROPPED, matches, why_not_dropped, why_not_retried
from vertexkit.journal.state.row import Row
from vertexkit.journal.state.state import JournalState
from vertexkit.settings import JournalSettings

KEPT = 1000
"""Settled executions that can still be looked up."""


class MemoryJournal:
    """Keeps executions in memory: a process that ends takes them along.

    Args:
        clock: for leases and for what is to run again later.
        settings: of journals; by default the defaults.
    """

    durability = (
        "memory: keeps executions in this process alone; what is unfinished when it is killed "
        "is lost, and its dialogs hang"
    )
    durable = False

    def __init__(self, clock: Clock, settings: JournalSettings | None = None) -> None:
        self._state = JournalState(clock, settings or JournalSettings())
        self._settled: OrderedDict[str, tuple[Record, Row | None]] = OrderedDict()

    async def open(
        self,
        ready: Callable[[], None],
        broke: Callable[[str], None] = lambda _: None,  # noqa: ARG002 - memory does not break
    ) -> None:
        self._state.open(ready)

    async def close(self) -> None:
        self._state.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        key = execution.key
        same = self._state.calls.same(key)
        if same is not None:
            return Acceptance(same if isinstance(same, str) else same.execution.id, new=False)
        return self._state.keep(self._state.enter(execution, key, room))

    async def claim(
        self, worker: str, room: Mapping[str, int], limit: int, *, early: bool = False
    ) -> list[Lease]:
        return [row.lease() for row in self._state.claim(worker, room, limit, early=early)]

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        return self._state.renew(worker, executions)

    def release_worker(self, worker: str) -> None:
        self._state.release_worker(worker)

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        self._state.affect(lease, effect)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        self._state.affect(lease, effect)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        self._state.record_result(lease, result, completing=completing)

    async def begin_completion(self, lease: Lease) -> bool:
        return self._state.begin_completion(lease) is not None

    async def withdraw_completion(self, lease: Lease) -> None:
        self._state.withdraw_completion(lease)

    async def release(self, lease: Lease, after: float, why: str = "") -> None:
        self._state.release(lease, after, why)

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        self._remember(self._state.settle(lease), outcome)

    def _remember(self, row: Row, outcome: Outcome) -> Record:
        record = row.ended(outcome)
        self._settled[record.execution] = record, row if record.kept else None
        if len(self._settled) > KEPT:
            self._settled.popitem(last=False)
        return record

    def backlog(self) -> int:
        return self._state.backlog()

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return self._state.unserved_blocks(blocks)

    def unavailable_reason(self) -> str:
        return ""

    async def find(self, execution: str) -> Record | None:
        row = self._state.find(execution)
        if row is not None:
            return row.record()
        record, _ = self._settled.get(execution, (None, None))
        return record

    async def search(self, query: Query) -> list[Record]:
        over = [record for record, _ in self._settled.values() if matches(query, record)]
        found = [*over, *(row.record() for row in self._state.search(query))]
        found.sort(key=lambda record: record.accepted_at, reverse=True)
        return found[: query.limit]

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        record, row = self._settled.get(execution, (None, None))
        if row is None or record is None or not record.kept:
            raise OperationNotAllowed(why_not_retried(execution, record))
        self._state.revive(row, fresh=fresh)
        del self._settled[execution]
        return row.record()

    async def drop(self, execution: str) -> Record:
        if (row := self._state.find(execution)) is not None:
            row, ended = self._state.drop(execution, Failure("dropped").result())
            return self._remember(row, DROPPED) if ended else row.record()
        record, _ = self._settled.get(execution, (None, None))
        if record is None or not record.kept:
            raise OperationNotAllowed(why_not_dropped(execution, record))
        del self._settled[execution]
        return record


def make(_: str, clock: Clock, settings: JournalSettings) -> MemoryJournal:
    """For `memory:`."""
    return MemoryJournal(clock, settings)
