"""What a journal tells of an execution."""

from dataclasses import dataclass, field
from enum import StrEnum

from vertexkit.execution import Effect, Ending, Outcome


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
    ending: Ending | None = None
    block: str | None = None
    dialog: int | None = None
    code: str | None = None
    since: float | None = None
    """Accepted at this Unix time or later."""
    limit: int = 50
    """The newest so many."""
