"""The journal's seam: what the service and operators may ask of a journal of any kind.

`Journal` is the part that every execution passes through, `JournalAdmin` is what operators need, and
`JournalBackend` is both: what a registered kind of journal makes. `tests/journal/test_contract*.py`
run against every kind.

Methods promise that what they wrote survives one of two failures. *Power loss*: when the method
returns, the write is on the disk. *Process death*: the write survives when the process is killed,
and is on the disk a moment later.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from vertexkit.execution import (
    Effect,
    Execution,
    Outcome,
    Result,
)
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.events import JournalEvents
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.privacy import JournalPrivacy
from vertexkit.journal.records import HistoryEvent as HistoryEvent
from vertexkit.journal.records import Query as Query
from vertexkit.journal.records import Record as Record
from vertexkit.journal.records import WorkerRecord as WorkerRecord


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The journal's reply to `accept`."""

    execution: str
    """Id of the execution that the call belongs to."""
    new: bool
    """False: the call is a duplicate of an execution that has not ended; nothing was started."""
    supersedes: str | None = None
    """Id of the earlier execution of the same call, whose completion may have been sent: the new
    call confirms that completion. The new execution can be claimed once the earlier one settles."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on an execution, with everything needed to run or complete it."""

    execution: Execution
    worker: str
    epoch: int
    """Grows with each claim of this execution; a write with another epoch raises `Fenced`."""
    attempt: int
    """1 for the first run of the handler."""
    effects: Mapping[int, Effect] = field(default_factory=dict)
    """What earlier runs did, by position."""
    result: Result | None = None
    """Recorded by an earlier run: the handler must not run again, only the completion is sent."""
    completion_tried: bool = False
    """An earlier completion request may have completed the block: its outcome is unknown."""
    crashed: bool = False
    """The previous run did not end: its worker died, or its lease expired."""
    ran: float = 0.0
    """Seconds for which the handler has run before it was suspended."""
    overdue: bool = False
    """It waited for a limit for too long: its handler must not run."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a worker learns when it renews its leases."""

    lost: frozenset[str] = frozenset()
    """Ids of executions that this worker no longer holds."""
    superseded: frozenset[str] = frozenset()
    """Ids of executions whose call the platform has made again."""


class JournalObserver(Protocol):
    """What a journal reports while it is open. Called on its event loop; must return quickly."""

    def ready(self) -> None:
        """An execution may have become claimable."""

    def accepting(self) -> None:
        """A call is about to be sent to the process that has the journal open.

        A claim that is made at once is sent with it, and can be in the same commit.
        """

    def lost(self, reason: str) -> None:
        """The journal cannot be written any more by this process. Called at most once."""

    def committed(self, changes: int, seconds: float) -> None:
        """A commit to the disk succeeded.

        Args:
            changes: number of changes in it.
            seconds: how long the commit took.
        """

    def commit_failed(self) -> None:
        """A commit failed and was rolled back; its changes are retried or reported as failed."""


class NullJournalObserver:
    """An observer that ignores all reports."""

    def ready(self) -> None:
        """Ignore the report."""

    def accepting(self) -> None:
        """Ignore the report."""

    def lost(self, reason: str) -> None:
        """Ignore the report."""

    def committed(self, changes: int, seconds: float) -> None:
        """Ignore the report."""

    def commit_failed(self) -> None:
        """Ignore the report."""


class Journal(JournalEvents, Protocol):
    """Stores every execution from its acceptance to its outcome.

    When a method returns, the change has been made; when it raises `JournalUnavailable`, it has
    not. Methods that take a lease raise `Fenced`, and change nothing, unless the lease's epoch is
    the newest.
    """

    durability: str
    """One sentence for operators: which failures stored executions survive."""
    durable: bool
    """Accepted executions are still stored after this process has ended."""

    async def open(self, observer: JournalObserver) -> None:
        """Open the journal; call `observer.ready` if executions are waiting.

        Raises:
            JournalUnusable: it cannot be opened; the message names the cause and the fix.
        """

    async def close(self) -> None:
        """Write what is pending and close. Leases are not released; they expire."""

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        """Store a new execution (survives power loss), unless its call is a duplicate.

        A call with the key of an execution that has not ended (`Execution.key`) is a duplicate
        until that execution's completion may have been sent; from then on it is a new execution,
        see `Acceptance.supersedes`.

        Args:
            execution: the call.
            room: maximum backlog.

        Raises:
            QueueFull: the call is new and the backlog is `room` or more.
            JournalUnavailable: the execution could not be stored.
        """

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        """Take executions that are due, and raise their epoch and attempt (survives process death).

        An execution whose lease has expired is due. An execution with a recorded result needs no
        handler, so `room` does not apply to it.

        Args:
            worker: id of the worker.
            room: maximum number of executions per block; blocks that are missing are not claimed.
            limit: maximum number of executions in total.
            early: also take executions whose next run is scheduled for later.
            limits: which hold over all processes; None: there are none. An execution whose limit
                is reached stays in the queue. The limits of a block apply to executions with a
                `limit_key`.
        """

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        """Extend the leases of these executions by the length of a lease, starting now."""

    def release_worker(self, worker: str) -> None:
        """Expire all leases of a worker that is known to be dead."""

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        """Store that an effect is about to happen (survives power loss)."""

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        """Store the outcome of an effect (survives process death).

        The outcome of a message may be stored later, at the latest with the next write of this
        lease, which then raises `Fenced` in its place.
        """

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        """Store the result (survives power loss); the handler does not run again.

        A later call replaces the result.

        Args:
            lease: of the execution.
            result: what the platform is sent as the completion.
            completing: include `begin_completion` in the same write.
        """

    async def begin_completion(self, lease: Lease) -> bool:
        """Store that a completion is about to be sent.

        The first one (also after `refuse_completion`) survives power loss: a 403 in reply to a later
        request would otherwise be taken for a dialog that no longer exists. Others survive process
        death. False: the same call has been accepted again, no completion may be sent any more.
        """

    async def withdraw_completion(self, lease: Lease) -> None:
        """Undo `begin_completion`: the request did not leave this machine."""

    async def refuse_completion(self, lease: Lease) -> None:
        """Store that the platform refused each request: a 403 to the next one confirms nothing."""

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        """End the lease; the execution is due in `after` seconds (survives process death)."""

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        """End the lease: the handler waits (survives process death).

        The execution is due after `seconds`, or as soon as there is an event for one of its waits
        (`open_waits`). The next claim does not count as another attempt.

        Args:
            lease: of the execution.
            seconds: until the execution is due.
            ran: for how many seconds the handler has run; see `Lease.ran`.
        """

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        """Store that a wait has ended without its event (survives process death).

        Args:
            lease: of the execution.
            effect: the wait, with the state `CONFIRMED`.

        Returns:
            The event, if it was delivered before: then nothing is stored.
        """

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        """Return the memory of a dialog. It is empty if it was not changed for its retention.

        Args:
            key: of the dialog.

        Raises:
            JournalUnavailable: it could not be read.
        """

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        """Store the memory of a dialog and, with it, the effect that changes it.

        Both are stored, or neither (survives process death).

        Args:
            lease: of the execution that changes it.
            effect: the change, with the state `CONFIRMED`. Its position has no effect yet.
            key: of the dialog.
            memory: the new values, and the version that they replace.

        Returns:
            The new version; None if the stored memory has a version other than the one that is to
            be replaced: then nothing is stored.
        """

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        """Store the outcome (survives process death) and erase the token, inputs and result.

        An execution that is parked while its block is not completed keeps them for `retry`.
        """

    def backlog(self) -> int:
        """Return how many executions wait for a handler or for the platform. Must be cheap.

        Executions that are suspended are not among them.
        """

    def suspended(self) -> int:
        """Return how many executions are suspended. Must be cheap."""

    def waiting_for_limits(self) -> Mapping[str, int]:
        """Return how many executions wait for a limit, by block. Must be cheap."""

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        """Return the blocks that executions wait for and that are not in `blocks`. Must be cheap.

        When `blocks` are all blocks that this service has, these executions must be parked.
        """

    def unavailable_reason(self) -> str:
        """Return why writes fail at present, or an empty string. Must be cheap."""


class JournalAdmin(JournalEvents, JournalPrivacy, Protocol):
    """What operators need beside the service: reading, retrying, dropping and waking executions."""

    async def find(self, execution: str) -> Record | None:
        """Return the execution with this id, or None if it is not stored (any more)."""

    async def search(self, query: Query) -> list[Record]:
        """Return the executions that match, newest first."""

    async def workers(self) -> list[WorkerRecord]:
        """Return the workers that hold executions, and those that have reported that they run."""

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        """Make a parked execution claimable again (survives power loss).

        Its result is sent again if it has one; otherwise its handler runs again.

        Args:
            execution: its id.
            fresh: discard its result and effects: the handler starts from the beginning, and
                messages may be sent a second time.

        Raises:
            OperationNotAllowed: it is not parked, or its token and inputs are no longer stored.
        """

    async def drop(self, execution: str) -> Record:
        """Give up an execution (survives power loss).

        An execution that waits for its handler gets the failed result `dropped`, so that its
        dialog continues; one whose completion cannot be delivered is parked; a parked one is
        deleted.

        Returns:
            The execution after the change, or before it was deleted.

        Raises:
            OperationNotAllowed: its handler is running, or it has ended.
        """


class Access(StrEnum):
    """Which processes may use a journal while a service has it open."""

    PROCESS = "process"
    """Only the process that opened it."""
    SOCKET = "socket"
    """One process has it open; others ask that process over its socket, see `shared/`."""
    ANY = "any"
    """Any process may open it, as with a database server."""


class JournalBackend(Journal, JournalAdmin, Protocol):
    """A journal for the service and for operators: what a registered kind makes."""

    def check(self) -> str:
        """Check, before `open`, that the journal could be opened; change nothing.

        Returns:
            The journal's state in a sentence without its end: `journal.db will be created`.

        Raises:
            JournalUnusable: as `open`.
        """

    async def migrate(self) -> str:
        """Bring what is stored to the format of this version, before `open`.

        Returns:
            What was done, in a sentence without its end.

        Raises:
            JournalUnusable: that is not possible.
        """

    def may_have_claimable(self) -> bool:
        """Whether a claim might take an execution now."""

    @property
    def access(self) -> Access:
        """Which processes may use it."""

    @property
    def file(self) -> Path | None:
        """The file next to which the owning process announces its socket (`Access.SOCKET`)."""
