"""How executions are accepted, claimed and settled: the rules of every journal, in memory."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping

from vertexkit.clock import Clock
from vertexkit.errors import Fenced, OperationNotAllowed, QueueFull
from vertexkit.execution import WAIT, Effect, Execution, Outcome, Phase, Result
from vertexkit.journal.events import Delivery
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.protocol import (
    Acceptance,
    HistoryEvent,
    JournalObserver,
    Lease,
    Query,
    Record,
    Renewal,
)
from vertexkit.journal.state.duplicates import Duplicates
from vertexkit.journal.state.events import add_event, confirm_event
from vertexkit.journal.state.operations import matching_rows
from vertexkit.journal.state.queues import Queues
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.storable import (
    storable_effect,
    storable_outcome,
    storable_result,
    storable_seconds,
    storable_text,
)
from vertexkit.settings import JournalSettings


class JournalState:
    """All executions that have not ended, and the leases on them. No input or output.

    A journal on a disk first calls `add`, writes the execution, and then calls `confirm` or
    `discard`. A claim in between is written after it: the handler starts when both are committed.
    All other changes are made here first and then written; the journal's method returns when they
    are. What cannot be stored is repaired or refused (`storable`) before any change, so that memory
    and file never differ.

    Args:
        clock: for leases and for what is to run again later.
        settings: of the journal.
    """

    def __init__(self, clock: Clock, settings: JournalSettings) -> None:
        self._clock = clock
        self._lease_seconds = settings.lease
        self._rows: OrderedDict[str, ExecutionRow] = OrderedDict()
        """By the execution's id, oldest first."""
        self.duplicates: Duplicates = Duplicates(clock, unique=settings.tokens == "unique")
        self.queues: Queues = Queues(clock)
        self._leases: OrderedDict[str, float] = OrderedDict()
        """By the execution's id: when the lease expires, on the clock's `now()`; oldest first."""
        self._running = 0

    def open(self, observer: JournalObserver) -> None:
        """Report to this observer when an execution may be claimable."""
        self.queues.observer = observer

    def close(self) -> None:
        """Cancel all timers."""
        self.queues.close()

    def add(self, execution: Execution, key: bytes, room: int) -> ExecutionRow:
        """Add a new execution.

        It can be claimed at once, unless it follows another one, or its block has limits: a start
        of an execution that is discarded must not count against a rate.

        Raises:
            QueueFull: `room` executions are waiting.
        """
        if self.backlog() >= room:
            raise QueueFull(f"{room} executions are waiting, which is the limit")
        row = ExecutionRow(execution, key, follows=self.duplicates.latest(key), pending=True)
        claims = execution.token.claims
        row.dialog = None if claims is None else claims.dialog_id
        self._rows[execution.id] = row
        self.duplicates.add(row)
        if row.follows is None and not row.is_limited:
            row.queued_early = True
            self.queues.put(row)
        return row

    def confirm(self, row: ExecutionRow) -> Acceptance:
        """Make a stored execution claimable, once the one that it follows has settled."""
        row.pending = False
        if row.follows is not None:
            return Acceptance(row.execution.id, new=True, supersedes=row.follows.execution.id)
        if not row.queued_early:
            self.queues.put(row)
        return Acceptance(row.execution.id, new=True)

    def discard(self, row: ExecutionRow) -> None:
        """Undo `add`, and a claim since then: the execution could not be stored."""
        del self._rows[row.execution.id]
        self.duplicates.discard(row)
        if self._leases.pop(row.execution.id, None) is not None:
            self._leave_running(row)
        else:
            self.queues.remove(row)

    def restore(self, row: ExecutionRow, due_in: float) -> None:
        """Add an execution of an earlier process, after the one that it follows.

        Args:
            row: as that process has left it.
            due_in: seconds until it is claimable; not positive: now.
        """
        self._rows[row.execution.id] = row
        self.duplicates.add(row)
        row.worker = ""
        if row.phase is Phase.SUSPENDED:
            row.resumes = True
            due_in = 0.0 if row.is_woken() else due_in
        elif row.phase is not Phase.WAITING:
            row.crashed = row.phase is Phase.RUNNING
            row.phase = Phase.WAITING
            self._add_event(row, "lease_expired", "the process that held it has ended")
        if row.follows is None and due_in > 0:
            self.queues.put_later(row, due_in)
        elif row.follows is None:
            self.queues.put(row)

    def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool,
        limits: FleetLimits | None,
    ) -> list[ExecutionRow]:
        """Claim executions that are due, those with a recorded result first."""
        worker = storable_text("the id of a worker", worker)
        self._expire()
        if early:
            self.queues.put_all_now()
        claimed = self.queues.take(room, limit, limits, self._running)
        for row in claimed:
            self._assign(row, worker)
        return claimed

    def _assign(self, row: ExecutionRow, worker: str) -> None:
        row.epoch += 1
        row.worker = worker
        row.due_at, row.woken = None, False
        if row.claimed_at is None:
            row.claimed_at = self._clock.unix()
        elif row.result is None and not row.resumes:
            self._add_event(row, "claimed", f"run {row.attempts + 1}, by worker {worker}")
        if row.result is None:
            row.attempts += not row.resumes
            row.resumes = False
            row.phase = Phase.RUNNING
            self._running += 1
        else:
            row.phase = Phase.COMPLETING
        self._leases[row.execution.id] = self._clock.now() + self._lease_seconds

    def _expire(self) -> None:
        """End the leases that workers have not renewed. The oldest lease comes first."""
        while self._leases:
            execution, until = next(iter(self._leases.items()))
            if until > self._clock.now():
                return
            row = self._rows[execution]
            self._end_lease(row, f"worker {row.worker} did not renew its lease in time")

    def release_worker(self, worker: str) -> None:
        """End the leases of a worker that has died."""
        for execution in list(self._leases):
            row = self._rows[execution]
            if row.worker == worker:
                self._end_lease(row, f"worker {worker} has died")

    def _end_lease(self, row: ExecutionRow, detail: str) -> None:
        del self._leases[row.execution.id]
        row.crashed = row.phase is Phase.RUNNING
        self._add_event(row, "lease_expired", detail)
        self._requeue(row)

    def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        """Extend the leases of these executions."""
        lost, superseded = set(), set()
        until = self._clock.now() + self._lease_seconds
        for execution in executions:
            row = self._rows.get(execution)
            if row is None or row.worker != worker or execution not in self._leases:
                lost.add(execution)
                continue
            self._leases[execution] = until
            self._leases.move_to_end(execution)
            if row.superseded:
                superseded.add(execution)
        return Renewal(frozenset(lost), frozenset(superseded))

    def leased(self, lease: Lease) -> ExecutionRow:
        """Return the execution of a lease that is still valid.

        Raises:
            Fenced: it is not.
        """
        row = self._rows.get(lease.execution.id)
        if row is None or row.epoch != lease.epoch or lease.execution.id not in self._leases:
            raise Fenced(f"execution {lease.execution.id} is no longer held by this worker")
        return row

    def record_effect(self, lease: Lease, effect: Effect) -> tuple[ExecutionRow, Effect]:
        """Record the intent or the outcome of an effect; return it with its times."""
        row, effect = self.leased(lease), storable_effect(effect)
        earlier, now = row.effects.get(effect.position), self._clock.unix()
        began = now if earlier is None or earlier.kind != effect.kind else earlier.began
        at, kind, digest = effect.position, effect.kind, effect.digest
        row.effects[at] = timed = Effect(at, kind, digest, effect.state, effect.value, began, now)
        return row, timed

    def record_result(
        self, lease: Lease, result: Result, *, completing: bool
    ) -> tuple[ExecutionRow, Result]:
        """Record the result; return it as it is stored."""
        row, result = self.leased(lease), storable_result(result)
        row.result, row.result_recorded_at = result, self._clock.unix()
        self._leave_running(row)
        row.phase = Phase.COMPLETING
        if completing:
            row.count_completion_try(self._clock.unix())
        return row, result

    def begin_completion(self, lease: Lease) -> ExecutionRow | None:
        """Record that a completion is about to be sent; None: the call was accepted again."""
        row = self.leased(lease)
        if row.superseded:
            return None
        row.count_completion_try(self._clock.unix())
        return row

    def withdraw_completion(self, lease: Lease) -> ExecutionRow:
        """Undo `begin_completion`: the request did not leave this machine."""
        row = self.leased(lease)
        if not row.superseded:
            row.completion_tried = False
        return row

    def release(self, lease: Lease, after: float, reason: str) -> ExecutionRow:
        """End a lease; the execution is claimable in `after` seconds."""
        row = self.leased(lease)
        after = storable_seconds("the time until the next run", after)
        reason = storable_text("the reason of a retry", reason)
        del self._leases[lease.execution.id]
        row.crashed = False
        self._add_event(row, "retried" if after > 0 or reason else "released", reason)
        if after <= 0:
            self._requeue(row)
            return row
        self._leave_running(row)
        row.phase, row.worker = Phase.WAITING, ""
        self.queues.put_later(row, after)
        return row

    def suspend(self, lease: Lease, seconds: float, ran: float) -> ExecutionRow:
        """End a lease; the execution is claimable in some seconds, or when an event comes."""
        row = self.leased(lease)
        seconds = storable_seconds("the time of a wait", seconds)
        ran = storable_seconds("the time of a run", ran)
        del self._leases[lease.execution.id]
        self._leave_running(row)
        row.crashed, row.resumes, row.worker = False, True, ""
        row.ran += ran
        row.phase = Phase.SUSPENDED
        self.queues.put_later(row, seconds)
        if row.woken and row.is_woken():  # the lease did not contain the event
            self.queues.wake(row)
        return row

    def add_event(
        self, execution: str, name: str, data: bytes
    ) -> tuple[Delivery, ExecutionRow | None]:
        """Add an event to an execution; next call `confirm_event`, or `remove_event`."""
        row = self._rows.get(execution)
        if row is None or row.pending:
            return Delivery.UNKNOWN, None
        return add_event(row, name, data, self._clock.unix()), row

    def confirm_event(self, row: ExecutionRow, name: str) -> None:
        """Let the handler see a stored event; it is claimable if it is suspended and waits for it."""
        confirm_event(row, name)
        if name in row.waits_for():
            self.queues.wake(row)

    def end_wait(self, lease: Lease, effect: Effect) -> tuple[ExecutionRow, Effect, Effect | None]:
        """Record that a wait has ended without its event, unless that was delivered."""
        row = self.leased(lease)
        event = row.event(effect.kind.removeprefix(WAIT))
        if event is not None:
            return row, effect, event
        return *self.record_effect(lease, effect), None

    def settle(self, lease: Lease, outcome: Outcome) -> tuple[ExecutionRow, Outcome]:
        """Remove an execution that has its outcome; return it with the outcome as it is stored."""
        row, outcome = self.leased(lease), storable_outcome(outcome)
        del self._leases[lease.execution.id]
        self._end(row)
        return row, outcome

    def _end(self, row: ExecutionRow) -> None:
        self._leave_running(row)
        row.ended_at = self._clock.unix()
        del self._rows[row.execution.id]
        for follower in self.duplicates.end(row):
            if not follower.pending:
                self.queues.put(follower)

    def backlog(self) -> int:
        """Return how many wait for a handler or for the platform, or are being written."""
        return len(self._rows) - self._running - self.queues.suspended

    def suspended(self) -> int:
        """Return how many are suspended."""
        return self.queues.suspended

    def record(self, row: ExecutionRow) -> Record:
        """Return what operators see."""
        return row.record(self.queues.limit_of(row))

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        """Return the blocks that executions wait for and that are not in `blocks`."""
        return self.queues.blocks().difference(blocks)

    def find(self, execution: str) -> ExecutionRow | None:
        """Return an execution that has not ended."""
        return self._rows.get(execution)

    def search(self, query: Query) -> list[ExecutionRow]:
        """Return the executions that match and have not ended, newest first."""
        return matching_rows(query, reversed(self._rows.values()), self.queues.limit_of)

    def drop(self, execution: str, result: Result) -> tuple[ExecutionRow, bool]:
        """Give up an execution that waits: complete its block with `result`.

        An execution that has a result already ends instead.

        Returns:
            The execution, and whether it has ended.

        Raises:
            OperationNotAllowed: a worker holds it.
        """
        row = self._rows[execution]
        if execution in self._leases:
            raise OperationNotAllowed(
                f"{execution} is running: wait until it ends, or stop the service"
            )
        self.queues.remove(row)
        if row.result is not None:
            self._end(row)
            return row, True
        row.result, row.result_recorded_at = result, self._clock.unix()
        self._add_event(row, "dropped_by_operator")
        if row.follows is None:
            self.queues.put(row)
        return row, False

    def revive(self, row: ExecutionRow, *, fresh: bool) -> None:
        """Make a parked execution claimable again.

        Args:
            row: of the execution.
            fresh: discard its result and effects.

        Raises:
            OperationNotAllowed: another execution of the same call has not ended.
        """
        if (other := self.duplicates.latest(row.key)) is not None:
            raise OperationNotAllowed(
                f"the platform has repeated this call, and {other.execution.id} executes it"
            )
        row.revive(fresh=fresh)
        self._add_event(row, "retried_by_operator")
        self._rows[row.execution.id] = row
        self._rows.move_to_end(row.execution.id, last=False)  # older than what has not ended
        self.duplicates.add(row)
        self.queues.put(row)

    def _requeue(self, row: ExecutionRow) -> None:
        self._leave_running(row)
        row.phase, row.worker = Phase.WAITING, ""
        self.queues.put(row)

    def _leave_running(self, row: ExecutionRow) -> None:
        if row.phase is Phase.RUNNING:
            self._running -= 1
            self.queues.end_run(row)

    def _add_event(self, row: ExecutionRow, name: str, detail: str = "") -> None:
        row.history.append(HistoryEvent(self._clock.unix(), name, detail))
