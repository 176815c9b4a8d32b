"""What operators see of a journal: executions, workers, and the filters for them."""

from dataclasses import dataclass

from vertexkit.execution import Effect, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.events import open_waits
from vertexkit.journal.limits import is_name_of


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event in the history of an execution that has no field of its own in `Record`."""

    at: float
    """Unix seconds."""
    name: str
    """`retried`, `released`, `lease_expired`, `claimed` (from the second claim on),
    `retried_by_operator` or `dropped_by_operator`."""
    detail: str = ""
    """One sentence, without secrets."""


@dataclass(frozen=True, slots=True)
class Record:
    """An execution as operators see it: without its token and inputs.

    Times are Unix seconds; None means that it has not happened.
    """

    execution: str
    """Its id."""
    block: str
    phase: Phase
    attempts: int
    """Runs of the handler."""
    accepted_at: float
    effects: tuple[Effect, ...] = ()
    result: Result | None = None
    """Recorded and not yet confirmed by the platform. Erased when the execution settles."""
    outcome: Outcome | None = None
    dialog: int | None = None
    """The dialog's id as the token claims it; not verified."""
    worker: str = ""
    """The worker that holds the execution."""
    claimed_at: float | None = None
    """The first claim."""
    due_at: float | None = None
    """When the handler runs again."""
    result_recorded_at: float | None = None
    completion_tried_at: float | None = None
    """The last completion request; None also if the platform has refused each of them."""
    completion_tries: int = 0
    """Number of completion requests."""
    ended_at: float | None = None
    history: tuple[HistoryEvent, ...] = ()
    """Further events, in order."""
    retryable: bool = True
    """The token and the inputs are still stored, so that the execution can run again."""
    limited_by: str = ""
    """The limit that it waits for: `rate` or `fleet_concurrency`; empty: for none."""

    def waits_for(self) -> set[str]:
        """Return the names of the events that its handler waits for."""
        return open_waits({effect.position: effect for effect in self.effects})

    def is_waiting_for(self, name: str) -> bool:
        """Return whether it waits for an event of this name, or for this limit."""
        return is_name_of(name, self.limited_by) or name in self.waits_for()


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker as operators see it. Times are Unix seconds; None: the journal does not know."""

    worker: str
    """Its id."""
    held: int
    """Number of executions that it holds."""
    host: str = ""
    pid: int | None = None
    version: str = ""
    """Version of its app, as VERTEXKIT_APP_VERSION names it."""
    blocks: tuple[str, ...] = ()
    """The blocks that it has handlers for."""
    started_at: float | None = None
    seen_at: float | None = None
    """When it reported last that it runs."""
    stopped_at: float | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Filters for executions; a filter that is None matches every execution."""

    phase: Phase | None = None
    status: OutcomeStatus | None = None
    block: str | None = None
    dialog: int | None = None
    code: str | None = None
    since: float | None = None
    """Accepted at this Unix time or later."""
    limit: int = 50
    """Maximum number of executions, newest first."""
    prefix: str | None = None
    """Start of its id."""
    waiting_for: str | None = None
    """Name of an event that its handler waits for; or a limit that it waits for: `limit` (any),
    `rate` or `fleet_concurrency`."""
