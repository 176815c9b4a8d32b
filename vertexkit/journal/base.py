"""What every journal promises."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vertexkit.execution import Effect, Execution, Outcome


class Phase(StrEnum):
    """Where an execution stands in the journal."""

    WAITING = "waiting"
    """Accepted, or to be run again; a worker may claim it once it is due."""
    RUNNING = "running"
    """A worker holds it and runs its handler."""
    COMPLETING = "completing"
    """Its result is fixed; the platform has not confirmed it yet."""
    SETTLED = "settled"
    """It has its outcome."""


@dataclass(frozen=True, slots=True)
class Result:
    """What an execution is completed with, fixed before the first try."""

    data: bytes = field(repr=False)
    """JSON, sent as it is in every try."""
    code: str = "ok"
    """`ok` or a failure's code."""


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


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a worker learns when it renews its leases."""

    lost: frozenset[str] = frozenset()
    """Ids that another worker holds by now."""
    superseded: frozenset[str] = frozenset()
    """Ids whose platform has made the same call again."""


@dataclass(frozen=True, slots=True)
class Record:
    """An execution as the journal has it, without its secrets once it is settled."""

    execution: str
    block: str
    phase: Phase
    attempts: int
    accepted_at: float
    effects: tuple[Effect, ...] = ()
    result: Result | None = None
    outcome: Outcome | None = None


class Journal(Protocol):
    """Keeps every execution from its acceptance to its outcome.

    A method that returns has happened; one that raises `JournalUnavailable` has not. Methods
    that take a lease raise `Fenced`, and change nothing, when its epoch is not the newest.
    What must survive which kind of death is said at each method: **power** (what it wrote is on
    the disk), or **process** (a killed process does not undo it).
    """

    promise: str
    """One sentence for operators: what it does, or does not, survive."""
    survives: bool
    """Is what was accepted still there when this process is gone?"""

    async def open(self, ready: Callable[[], None]) -> None:
        """Make it usable; `ready` is called whenever there may be something to claim."""

    async def close(self) -> None:
        """Let go of everything. The leases run out by themselves."""

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        """Keep a new execution (survives: power), unless it is the same call as one under way.

        The same call (equal `Execution.key`) is a duplicate as long as no byte of that one's
        completion may have been sent; from then on it is a new execution, see `supersedes`.

        Raises:
            QueueFull: it is new and the backlog is `room` or more.
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

    async def intend(self, lease: Lease, effect: Effect) -> None:
        """Keep the intent of an effect (survives: power) before its first byte."""

    async def confirm(self, lease: Lease, effect: Effect) -> None:
        """Keep what became of an effect (survives: process)."""

    async def conclude(self, lease: Lease, result: Result) -> None:
        """Fix the result (survives: power): from now on the handler does not run again."""

    async def try_completion(self, lease: Lease, *, sent: bool = True) -> bool:
        """Note that a completion is about to be sent (survives: process).

        `sent=False` takes the note back: the try did not leave this machine. Returns False if
        the same call has been accepted anew meanwhile: then nothing more may be sent.
        """

    async def release(self, lease: Lease, after: float) -> None:
        """Give it back, to be claimed again in `after` seconds (survives: process)."""

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        """Keep the outcome (survives: process); the token and the texts are erased."""

    def backlog(self) -> int:
        """How many executions wait for a handler or for the platform. Cheap."""

    async def find(self, execution: str) -> Record | None:
        """One execution, as long as the journal keeps it."""
