"""The journal of tests and trials: executions are kept in this process's memory."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from vertexkit.clock import Clock
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Effect, Execution, Outcome, Result
from vertexkit.failure import Failure
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.protocol import (
    Acceptance,
    Access,
    JournalObserver,
    Lease,
    Query,
    Record,
    Renewal,
    WorkerRecord,
)
from vertexkit.journal.state.memories import Memories
from vertexkit.journal.state.operations import (
    ALL,
    DROPPED,
    find_workers,
    matches,
    refuse_to_forget,
    why_not_dropped,
    why_not_retried,
)
from vertexkit.journal.state.row import ERASED, ExecutionRow, keeps_secrets
from vertexkit.journal.state.state import JournalState
from vertexkit.journal.state.storable import storable_execution
from vertexkit.settings import JournalSettings

MAX_SETTLED_EXECUTIONS = 1000
"""Settled executions that can still be looked up."""
MAX_MEMORY_BYTES = 64 * 1024 * 1024
"""Size of the memories of dialogs that are kept."""
DEFAULTS = JournalSettings()


class MemoryJournal:
    """Keeps executions in memory; they are lost when the process ends.

    Args:
        clock: for leases and for what is to run again later.
        settings: of the journal.
    """

    durability = (
        "memory: executions are kept in this process only; when it is killed, unfinished ones are "
        "lost and their dialogs hang"
    )
    durable = False
    access = Access.PROCESS
    file: Path | None = None

    def __init__(self, clock: Clock, settings: JournalSettings = DEFAULTS) -> None:
        self._clock = clock
        self._state = JournalState(clock, settings)
        self._memories = Memories(MAX_MEMORY_BYTES, settings.memory_retention)
        self._settled: OrderedDict[str, tuple[ExecutionRow, Outcome]] = OrderedDict()
        """A record is made only if it is looked up: making it costs as much as two log lines."""

    def check(self) -> str:
        return "executions are kept in memory"

    async def migrate(self) -> str:
        return "a memory: journal has nothing to migrate"

    async def open(self, observer: JournalObserver) -> None:
        self._state.open(observer)

    async def close(self) -> None:
        self._state.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        key = storable_execution(execution).key
        duplicated = self._state.duplicates.find(key)
        if duplicated is not None:
            id_ = duplicated if isinstance(duplicated, str) else duplicated.execution.id
            return Acceptance(id_, new=False)
        return self._state.confirm(self._state.add(execution, key, room))

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        claimed = self._state.claim(worker, room, limit, early=early, limits=limits)
        return [row.lease() for row in claimed]

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        return self._state.renew(worker, executions)

    def release_worker(self, worker: str) -> None:
        self._state.release_worker(worker)

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        self._state.record_effect(lease, effect)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        self._state.record_effect(lease, effect)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        self._state.record_result(lease, result, completing=completing)

    async def begin_completion(self, lease: Lease) -> bool:
        return self._state.begin_completion(lease) is not None

    async def withdraw_completion(self, lease: Lease) -> None:
        self._state.withdraw_completion(lease)

    async def refuse_completion(self, lease: Lease) -> None:
        self._state.leased(lease).note_refused_completions()

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        self._state.release(lease, after, reason)

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        self._state.suspend(lease, seconds, ran)

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        delivery, row = self._state.add_event(execution, name, data)
        if delivery is Delivery.NEW and row is not None:
            self._state.confirm_event(row, name)
        if delivery is Delivery.UNKNOWN and execution in self._settled:
            return Delivery.ENDED
        return delivery

    async def event_target(self, execution: str) -> EventTarget | None:
        row = self._state.find(execution)
        if row is not None:
            return row.event_target()
        row, _ = self._settled.get(execution, (None, None))
        return None if row is None else EventTarget(row.execution.block, b"", ended=True)

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        return self._state.end_wait(lease, effect)[2]

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        return self._memories.read(key, self._clock.now()) or DialogMemory()

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        self._state.leased(lease)
        version = self._memories.change(key, memory, self._clock.now(), self._clock.unix())
        if version is not None:
            self._state.record_effect(lease, effect)
        return version

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        self._store(*self._state.settle(lease, outcome))

    def _store(self, row: ExecutionRow, outcome: Outcome) -> None:
        if not keeps_secrets(outcome):
            row.erase_call()
        self._settled[row.execution.id] = row, outcome
        if len(self._settled) > MAX_SETTLED_EXECUTIONS:
            self._settled.popitem(last=False)

    def _find_settled(self, execution: str) -> Record | None:
        settled = self._settled.get(execution)
        return settled[0].settled_record(settled[1]) if settled is not None else None

    def backlog(self) -> int:
        return self._state.backlog()

    def may_have_claimable(self) -> bool:
        return self._state.queues.has_waiting()

    def suspended(self) -> int:
        return self._state.suspended()

    def waiting_for_limits(self) -> Mapping[str, int]:
        return self._state.queues.waiting_for_limits()

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return self._state.unserved_blocks(blocks)

    def unavailable_reason(self) -> str:
        return ""

    async def find(self, execution: str) -> Record | None:
        row = self._state.find(execution)
        if row is not None:
            return self._state.record(row)
        return self._find_settled(execution)

    async def search(self, query: Query) -> list[Record]:
        settled = (row.settled_record(outcome) for row, outcome in self._settled.values())
        found = [record for record in settled if matches(query, record)]
        found += [self._state.record(row) for row in self._state.search(query)]
        found.sort(key=lambda record: record.accepted_at, reverse=True)
        return found[: query.limit]

    async def workers(self) -> list[WorkerRecord]:
        return await find_workers(self.search)

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        record = self._find_settled(execution)
        if record is None or not record.retryable:
            raise OperationNotAllowed(why_not_retried(execution, record))
        row, _ = self._settled[execution]
        self._state.revive(row, fresh=fresh)
        del self._settled[execution]
        return row.record()

    async def drop(self, execution: str) -> Record:
        if (row := self._state.find(execution)) is not None:
            row, ended = self._state.drop(execution, Failure("dropped").result())
            if not ended:
                return row.record()
            self._store(row, DROPPED)
            return row.settled_record(DROPPED)
        record = self._find_settled(execution)
        if record is None or not record.retryable:
            raise OperationNotAllowed(why_not_dropped(execution, record))
        del self._settled[execution]
        return record

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        return self._memories.records(dialog)

    async def forget(self, dialog: int) -> Forgotten:
        unfinished = self._state.search(Query(dialog=dialog, limit=ALL))
        refuse_to_forget(dialog, [row.execution.id for row in unfinished])
        ended = [name for name, (row, _) in self._settled.items() if row.dialog == dialog]
        for name in ended:
            del self._settled[name]
        memories = self._memories.records(dialog)
        for record in memories:
            self._memories.remove(record.key)
        return Forgotten(len(ended), len(memories))

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        row = self._state.find(execution)
        if row is None:
            row, _ = self._settled.get(execution, (None, None))
        return None if row is None or row.execution.token is ERASED else row.execution.inputs

    async def rekey(self, key: str, after: str) -> Rekeyed:  # noqa: ARG002 - see JournalAdmin
        raise OperationNotAllowed("a memory: journal is not encrypted: it is never on a disk")


def make(_: str, clock: Clock, settings: JournalSettings) -> MemoryJournal:
    """Make the journal of `memory:`."""
    return MemoryJournal(clock, settings)
