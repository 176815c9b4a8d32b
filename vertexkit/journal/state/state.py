"""The rules by which executions are accepted, claimed and settled, in one process's memory."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping

from vertexkit.clock import Clock
from vertexkit.errors import Fenced, OperationNotAllowed, QueueFull
from vertexkit.execution import Effect, Execution, Phase, Result
from vertexkit.journal.protocol import Acceptance, Lease, Moment, Query, Renewal
from vertexkit.journal.state.duplicates import Calls
from vertexkit.journal.state.operations import matches
from vertexkit.journal.state.queues import Queues
from vertexkit.journal.state.row import Row, assumed
from vertexkit.settings import JournalSettings
from vertexkit.text import replace_surrogates


class JournalState:
    """Who waits, who runs, who holds what: all that is under way, and no input or output.

    A journal on a disk enters an execution, writes it, and only then says `keep`. Everything else
    it asks of the book first and writes after, and answers when it is written.

    Args:
        clock: for leases and for what is to run again later.
        settings: of journals.
    """

    def __init__(self, clock: Clock, settings: JournalSettings) -> None:
        self._clock = clock
        self._lease = settings.lease
        self._rows: dict[str, Row] = {}
        self.calls = Calls(clock, unique=settings.unique_tokens)
        self._queues = Queues(clock)
        self._held: OrderedDict[str, float] = OrderedDict()
        self._running = 0

    def open(self, ready: Callable[[], None]) -> None:
        """From now on say when there may be something to claim."""
        self._queues.ready = ready

    def close(self) -> None:
        """Wake nobody any more."""
        self._queues.close()

    def enter(self, execution: Execution, key: bytes, room: int) -> Row:
        """A new execution, that nobody can claim until it is kept.

        Raises:
            QueueFull: `room` executions wait already.
        """
        if self.backlog() >= room:
            raise QueueFull(f"{room} executions wait already")
        row = Row(execution, key, follows=self.calls.latest(key))
        self._rows[execution.id] = row
        self.calls.add(row)
        return row

    def keep(self, row: Row) -> Acceptance:
        """It is written: it may be claimed, or waits for the one it follows."""
        row.arriving = False
        if row.follows is None:
            self._queues.put(row)
            return Acceptance(row.execution.id, new=True)
        return Acceptance(row.execution.id, new=True, supersedes=row.follows.execution.id)

    def strike(self, row: Row) -> None:
        """It could not be written: as if it had never come."""
        del self._rows[row.execution.id]
        self.calls.strike(row)

    def restore(self, row: Row, due_in: float) -> None:
        """One that an earlier process left unfinished; those it follows come first."""
        self._rows[row.execution.id] = row
        self.calls.add(row)
        row.worker = ""
        if row.phase is not Phase.WAITING:
            row.crashed = row.phase is Phase.RUNNING
            row.phase = Phase.WAITING
            self._note(row, "expired", "the process that held it ended")
        if row.follows is None and due_in > 0:
            self._queues.put_later(row, due_in)
        elif row.follows is None:
            self._queues.put(row)

    def claim(self, worker: str, room: Mapping[str, int], limit: int, *, early: bool) -> list[Row]:
        """Take what is due, those with a fixed result first."""
        self._expire()
        if early:
            self._queues.wake_all()
        claimed = self._queues.take(room, limit)
        for row in claimed:
            self._hold(row, worker)
        return claimed

    def _hold(self, row: Row, worker: str) -> None:
        row.epoch += 1
        row.worker = worker
        row.due_at = None
        if row.claimed_at is None:
            row.claimed_at = self._clock.unix()
        elif row.result is None:
            self._note(row, "claimed", f"run {row.attempts + 1}, by worker {worker}")
        if row.result is None:
            row.attempts += 1
            row.phase = Phase.RUNNING
            self._running += 1
        else:
            row.phase = Phase.COMPLETING
        self._held[row.execution.id] = self._clock.now() + self._lease

    def _expire(self) -> None:
        """Take back what silent workers hold. The oldest hold comes first."""
        while self._held:
            execution, until = next(iter(self._held.items()))
            if until > self._clock.now():
                return
            self._take_back(self._rows[execution], "worker {} was silent for too long")

    def release_worker(self, worker: str) -> None:
        """A worker is known to be dead: what it held is free at once."""
        for execution in list(self._held):
            row = self._rows[execution]
            if row.worker == worker:
                self._take_back(row, "worker {} has died")

    def _take_back(self, row: Row, why: str) -> None:
        del self._held[row.execution.id]
        row.crashed = row.phase is Phase.RUNNING
        self._note(row, "expired", why.format(row.worker))
        self._wait_again(row)

    def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        """Hold these for another lease."""
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

    def owned(self, lease: Lease) -> Row:
        """The row of a lease that still holds.

        Raises:
            Fenced: it does not.
        """
        row = self._rows.get(lease.execution.id)
        if row is None or row.epoch != lease.epoch or lease.execution.id not in self._held:
            raise Fenced(f"execution {lease.execution.id} is no longer this worker's")
        return row

    def affect(self, lease: Lease, effect: Effect) -> tuple[Row, Effect]:
        """An effect is intended, or is known to have happened or not: as it was, with its times."""
        row = self.owned(lease)
        earlier, now = row.effects.get(effect.position), self._clock.unix()
        began = now if earlier is None or earlier.kind != effect.kind else earlier.began
        at, kind, digest = effect.position, effect.kind, effect.digest
        row.effects[at] = timed = Effect(at, kind, digest, effect.state, effect.value, began, now)
        return row, timed

    def record_result(self, lease: Lease, result: Result, *, completing: bool) -> Row:
        """The result is fixed."""
        row = self.owned(lease)
        row.result = result
        row.concluded_at = self._clock.unix()
        self._leave_running(row)
        row.phase = Phase.COMPLETING
        if completing:
            self._try(row)
        return row

    def begin_completion(self, lease: Lease) -> Row | None:
        """A completion is about to be sent; None: the same call was accepted again meanwhile."""
        row = self.owned(lease)
        if row.superseded:
            return None
        self._try(row)
        return row

    def withdraw_completion(self, lease: Lease) -> Row:
        """The completion that was about to be sent did not leave this machine."""
        row = self.owned(lease)
        if not row.superseded:
            row.completion_tried = False
        return row

    def _try(self, row: Row) -> None:
        row.completion_tried = True
        row.tried_at = self._clock.unix()
        row.tries += 1

    def release(self, lease: Lease, after: float, why: str) -> Row:
        """It is given back, to be claimed again later."""
        row = self.owned(lease)
        del self._held[lease.execution.id]
        row.crashed = False
        self._note(row, "retried" if after > 0 or why else "released", why)
        if after <= 0:
            self._wait_again(row)
            return row
        self._leave_running(row)
        row.phase = Phase.WAITING
        row.worker = ""
        self._queues.put_later(row, after)
        return row

    def settle(self, lease: Lease) -> Row:
        """It has its outcome: it is no longer under way."""
        row = self.owned(lease)
        del self._held[lease.execution.id]
        self._end(row)
        return row

    def _end(self, row: Row) -> None:
        self._leave_running(row)
        row.ended_at = self._clock.unix()
        del self._rows[row.execution.id]
        for follower in self.calls.end(row):
            if not follower.arriving:
                self._queues.put(follower)

    def backlog(self) -> int:
        """How many wait for a handler or for the platform, or are just arriving."""
        return len(self._rows) - self._running

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        """Blocks that somebody waits for and that are none of these."""
        return self._queues.blocks().difference(blocks)

    def find(self, execution: str) -> Row | None:
        """One that is under way."""
        return self._rows.get(execution)

    def search(self, query: Query) -> list[Row]:
        """Those under way that are asked for, the newest first."""
        found = [row for row in self._rows.values() if matches(query, row.record())]
        return found[::-1][: query.limit]

    def drop(self, execution: str, result: Result) -> tuple[Row, bool]:
        """Give up one that waits: complete its block with `result`, or, failing that, end it.

        Returns:
            It, and whether it has ended.

        Raises:
            OperationNotAllowed: a worker holds it.
        """
        row = self._rows[execution]
        if execution in self._held:
            raise OperationNotAllowed(
                f"{execution} is being run just now: wait for its end, or stop the app"
            )
        self._queues.remove(row)
        if row.result is not None:
            self._end(row)
            return row, True
        row.result, row.concluded_at = result, self._clock.unix()
        self._note(row, "dropped", "by an operator")
        if row.follows is None:
            self._queues.put(row)
        return row, False

    def revive(self, row: Row, *, fresh: bool) -> None:
        """Take up again one that was parked, as if a worker had just died on it.

        Raises:
            OperationNotAllowed: the same call is under way.
        """
        if (other := self.calls.latest(row.key)) is not None:
            raise OperationNotAllowed(
                f"the platform has made this call again: {other.execution.id} is at it"
            )
        row.attempts = row.tries = 0
        row.phase, row.superseded, row.crashed = Phase.WAITING, False, False
        if fresh:
            row.result, row.completion_tried = None, False
            row.effects = {}
        else:  # whoever takes it up knows of the messages whose fate nobody does
            row.effects = {at: assumed(effect) for at, effect in row.effects.items()}
        self._note(row, "revived", "by an operator")
        self._rows[row.execution.id] = row
        self.calls.add(row)
        self._queues.put(row)

    def _wait_again(self, row: Row) -> None:
        self._leave_running(row)
        row.phase = Phase.WAITING
        row.worker = ""
        self._queues.put(row)

    def _leave_running(self, row: Row) -> None:
        if row.phase is Phase.RUNNING:
            self._running -= 1

    def _note(self, row: Row, what: str, said: str) -> None:
        row.trail.append(Moment(self._clock.unix(), what, replace_surrogates(said)))
