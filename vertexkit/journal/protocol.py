"""What every journal promises."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vertexkit.execution import Effect, Execution, Outcome, OutcomeStatus, Phase, Result


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The journal's answer to a call."""

    execution: str
    """The id of the execution that this call belongs to."""
    new: bool
    """False: the same call is under way already, nothing was started."""
    supersedes: str | None = None
    """The earlier execution of the same call, whose completion may have been sent: this new call
    confirms it. The new execution is claimable once that one is settled."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on an execution, and all it needs to go on with it."""

    execution: Execution
    worker: str
    epoch: int
    """Counts the claims of this execution; a write under an older epoch raises `Fenced`."""
    attempt: int
    """1 for the first run of the handler."""
    effects: Mapping[int, Effect] = field(default_factory=dict)
    """What earlier runs did, by position."""
    result: Result | None = None
    """Fixed by an earlier run: the handler must not run again, only the completion is tried."""
    completion_tried: bool = False
    """An earlier try of the completion may have reached the platform."""
    crashed: bool = False
    """The run before this one never ended: its worker died, or was taken for dead."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a worker learns when it renews its leases."""

    lost: frozenset[str] = frozenset()
    """Ids that another worker holds by now."""
    superseded: frozenset[str] = frozenset()
    """Ids whose platform has made the same call again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something out of the ordinary in an execution's story, for operators."""

    at: float
    """Unix seconds."""
    what: str
    """`retried`, `released`, `expired`, `claimed` (again), `superseded`, `revived`."""
    said: str = ""
    """One sentence, without anything secret."""


@dataclass(frozen=True, slots=True)
class Record:
    """An execution as the journal has it: what operators see. No token, no inputs.

    Times are Unix seconds; None for what has not happened.
    """

    execution: str
    block: str
    phase: Phase
    attempts: int
    accepted_at: float
    effects: tuple[Effect, ...] = ()
    result: Result | None = None
    """Fixed, and not confirmed yet. Erased at the end."""
    outcome: Outcome | None = None
    dialog: int | None = None
    """As the token claims, unverified."""
    worker: str = ""
    """Who holds it."""
    claimed_at: float | None = None
    """When it was claimed first."""
    due_at: float | None = None
    """When it is to run again."""
    concluded_at: float | None = None
    """When its result was fixed."""
    tried_at: float | None = None
    """When its completion was tried last."""
    tries: int = 0
    """Tries of the completion."""
    ended_at: float | None = None
    trail: tuple[Moment, ...] = ()
    """What else happened, in order."""
    kept: bool = True
    """The token and the inputs are still there: it can be run again."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which executions an operator asks for; what is None is not asked for."""

    phase: Phase | None = None
    status: OutcomeStatus | None = None
    block: str | None = None
    dialog: int | None = None
    code: str | None = None
    since: float | None = None
    """Accepted at this Unix time or later."""
    limit: int = 50
    """The newest so many."""


class Journal(Protocol):
    """Keeps every execution from its acceptance to its outcome.

    A method that returns has happened; one that raises `JournalUnavailable` has not. Methods
    that take a lease raise `Fenced`, and change nothing, when its epoch is not the newest.
    What must survive which kind of death is said at each method: **power** (what it wrote is on
    the disk), or **process** (a killed process does not undo it).
    """

    durability: str
    """One sentence for operators: what it does, or does not, survive."""
    durable: bool
    """Is what was accepted still there when this process is gone?"""

    async def open(
        self, ready: Callable[[], None], broke: Callable[[str], None] = lambda _: None
    ) -> None:
        """Make it usable.

        Args:
            ready: called whenever there may be something to claim.
            broke: called once, with the reason, if it cannot be written any more and never will
                be in this process.

        Raises:
            JournalUnusable: it cannot be used; names the cause and the mend.
        """

    async def close(self) -> None:
        """Let go of everything. The leases run out by themselves."""

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        """Keep a new execution (survives: power), unless it is the same call as one under way.

        The same call (equal `Execution.key`) is a duplicate as long as no byte of that one's
        completion may have been sent; from then on it is a new execution, see `supersedes`.

        Raises:
            QueueFull: it is new and the backlog is `room` or more.
            JournalUnavailable: it could not be kept; nothing was.
        """

    async def claim(
        self, worker: str, room: Mapping[str, int], limit: int, *, early: bool = False
    ) -> list[Lease]:
        """Take up to `limit` due executions, at most `room[block]` of each block named in it.

        Raises the epoch and the attempt (survives: process) before the handler runs. Those whose
        lease ran out are due. Executions with a fixed result come whatever the room. `early`
        takes those too that are to be run later.
        """

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        """Keep holding these executions for another lease."""

    def release_worker(self, worker: str) -> None:
        """A worker is known to be dead: what it holds is due at once."""

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        """Keep the intent of an effect (survives: power) before its first byte."""

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        """Keep what became of an effect (survives: process).

        A message's may be kept a moment later: at the latest with the next write of this lease.
        """

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        """Fix the result (survives: power): from now on the handler does not run again.

        `completing` notes in the same write that its completion is about to be sent, as
        `begin_completion` does.
        """

    async def begin_completion(self, lease: Lease) -> bool:
        """Record that a completion is about to be sent.

        The first one survives power loss: a 403 in reply to a later try would otherwise be taken
        for a dialog that no longer exists. Later ones survive the death of the process.

        Returns:
            False if the same call has been accepted again meanwhile: nothing more may be sent.
        """

    async def withdraw_completion(self, lease: Lease) -> None:
        """Take back `begin_completion`: the request did not leave this machine."""

    async def release(self, lease: Lease, after: float, why: str = "") -> None:
        """Give it back, to be claimed again in `after` seconds (survives: process)."""

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        """Keep the outcome (survives: process); the token and the texts are erased.

        What was parked while its block is not complete keeps them, for an operator's `retry`.
        """

    def backlog(self) -> int:
        """How many executions wait for a handler or for the platform. Cheap."""

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        """Blocks that executions wait for and that are none of these. Cheap.

        If `blocks` are all that the workers of this journal serve, somebody has to park those.
        """

    def unavailable_reason(self) -> str:
        """Why it cannot be written now; empty if it can, as far as is known. Cheap."""

    async def find(self, execution: str) -> Record | None:
        """One execution, as long as the journal keeps it."""

    async def search(self, query: Query) -> list[Record]:
        """Executions, the newest first."""

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        """Take a parked execution up again: its result is sent again, or its handler run.

        Args:
            execution: its id.
            fresh: forget its result and what it did: the handler begins anew, and messages may
                be sent a second time.

        Raises:
            OperationNotAllowed: it is not parked, or nothing is left to run it from; says so.
        """

    async def drop(self, execution: str) -> Record:
        """Give an execution up for good.

        One that waits for its handler is completed as failed with code `dropped`, so that its
        dialog goes on; one whose completion does not get through is parked; a parked one is
        forgotten.

        Returns:
            It, as it is now, or as it was when it was forgotten.

        Raises:
            OperationNotAllowed: its handler is running, or it has ended; says so.
        """
