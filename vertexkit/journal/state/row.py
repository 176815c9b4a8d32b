"""One execution that has not ended, as the process that has the journal open keeps it."""

from dataclasses import dataclass, field, replace

from vertexkit.execution import (
    EVENT,
    SEND,
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.events import EventTarget, delivered_event, open_waits
from vertexkit.journal.protocol import HistoryEvent, Lease, Record
from vertexkit.token import Token

RESULT_QUEUE = ""
"""Name of the queue of executions with a recorded result: they need no handler, and no room."""
ERASED = Token("erased")
"""The token of an execution that has ended."""
MESSAGE_WITHOUT_ID = b'{"message_id":null,"created_at":null}'
"""Value of a message that is assumed to have been sent."""


@dataclass(slots=True)
class ExecutionRow:
    """An execution from its acceptance to its outcome. It changes."""

    execution: Execution
    key: bytes
    """`Execution.key`, or its fingerprint if the journal is encrypted."""
    number: int = 0
    """Its number in a file; grows with each acceptance."""
    phase: Phase = Phase.WAITING
    epoch: int = 0
    attempts: int = 0
    worker: str = ""
    effects: dict[int, Effect] = field(default_factory=dict)
    result: Result | None = None
    completion_tried: bool = False
    superseded: bool = False
    crashed: bool = False
    ran: float = 0.0
    """Seconds for which its handler has run before it was suspended."""
    resumes: bool = False
    """It was suspended: the next run continues the previous one, and is not another attempt."""
    woken: bool = False
    """An event has been delivered since it was claimed."""
    overdue: bool = False
    """It waited for a limit for too long: its handler does not run."""
    start_counts_for: float | None = None
    """Seconds for which its last claim counts against the rate of its block."""
    arriving: dict[str, Effect] | None = None
    """Events that are being written, by name; the write may still fail, so no handler sees them."""
    follows: "ExecutionRow | None" = None
    """The earlier execution of the same call, which has to settle first."""
    followers: list["ExecutionRow"] = field(default_factory=list)
    """Executions of the same call that wait until this one settles."""
    pending: bool = False
    """It is being written; the write may still fail."""
    queued_early: bool = False
    """It was claimable before it was written: the claim is written after it, in the same commit."""
    body_on_disk: bool = False
    """The call is not in memory; it is read from the file when the execution is claimed."""
    dialog: int | None = None
    claimed_at: float | None = None
    due_at: float | None = None
    due_in: float | None = None
    """Seconds from its release to `due_at`: a clock that was set back cannot extend the wait."""
    result_recorded_at: float | None = None
    completion_tried_at: float | None = None
    completion_tries: int = 0
    ended_at: float | None = None
    history: list[HistoryEvent] = field(default_factory=list)

    @property
    def queue(self) -> str:
        """Where it waits: its block's name, or `RESULT_QUEUE` once it needs no handler."""
        return self.execution.block if self.result is None else RESULT_QUEUE

    @property
    def is_limited(self) -> bool:
        """Whether the limits of its block apply when it is claimed."""
        return self.result is None and self.execution.limit_key is not None

    def lease(self) -> Lease:
        """Return what a worker needs."""
        return Lease(
            self.execution,
            self.worker,
            self.epoch,
            self.attempts,
            dict(self.effects),
            self.result,
            self.may_be_completed(),
            self.crashed,
            self.ran,
            self.overdue,
        )

    def may_be_completed(self) -> bool:
        """Whether a completion request may have completed the block: not if each was refused."""
        return self.completion_tried and self.completion_tried_at is not None

    def event_target(self) -> EventTarget:
        """Return what the receiver of an event needs to know."""
        execution = self.execution
        return EventTarget(
            execution.block, execution.key, self.result is not None, dict(self.effects)
        )

    def waits_for(self) -> set[str]:
        """Return the names of the events that its handler waits for."""
        return open_waits(self.effects)

    def event(self, name: str) -> Effect | None:
        """Return the event of this name that was delivered."""
        return delivered_event(self.effects, name)

    def is_woken(self) -> bool:
        """Whether an event has been delivered that its handler waits for."""
        return any(self.event(name) is not None for name in self.waits_for())

    def record(self, limited_by: str = "") -> Record:
        """Return what operators see.

        Args:
            limited_by: the limit that it waits for; empty: it waits for none.
        """
        return Record(
            execution=self.execution.id,
            block=self.execution.block,
            phase=self.phase,
            attempts=self.attempts,
            accepted_at=self.execution.accepted_at,
            effects=tuple(self.effects.values()),
            result=self.result,
            dialog=self.dialog,
            worker=self.worker,
            claimed_at=self.claimed_at,
            due_at=self.due_at,
            result_recorded_at=self.result_recorded_at,
            completion_tried_at=self.completion_tried_at,
            completion_tries=self.completion_tries,
            history=tuple(self.history),
            limited_by=limited_by,
        )

    def settled_record(self, outcome: Outcome) -> Record:
        """Return what operators see after the execution has settled."""
        retryable = keeps_secrets(outcome)
        effects = self.effects.values()
        return replace(
            self.record(),
            phase=Phase.SETTLED,
            effects=tuple(effects if retryable else map(without_step_value, effects)),
            result=self.result if retryable else None,
            outcome=outcome,
            worker="",
            due_at=None,
            ended_at=self.ended_at,
            retryable=retryable,
        )

    def count_completion_try(self, now: float) -> None:
        """Note that a completion is about to be sent."""
        self.completion_tried = True
        self.completion_tried_at = now
        self.completion_tries += 1

    def note_refused_completions(self) -> None:
        """Note that the platform has refused each completion request."""
        self.completion_tried_at = None

    def revive(self, *, fresh: bool) -> None:
        """Reset it, because an operator retries it after it was parked.

        Args:
            fresh: discard its result and effects, except events from outside.
        """
        self.attempts = self.completion_tries = 0
        self.ran, self.resumes, self.woken = 0.0, False, False
        self.phase, self.superseded, self.crashed = Phase.WAITING, False, False
        if fresh:
            self.result, self.completion_tried = None, False
            self.effects = {at: e for at, e in self.effects.items() if e.kind.startswith(EVENT)}
        else:  # the operator has accepted that messages of unknown delivery are not sent again
            self.effects = {at: assumed_sent(effect) for at, effect in self.effects.items()}

    def erase_call(self) -> None:
        """Erase the token, the inputs and the values of steps: the execution cannot run again."""
        execution = self.execution
        self.execution = Execution(
            execution.id, execution.block, ERASED, {}, accepted_at=execution.accepted_at
        )
        self.result = None
        for position, effect in self.effects.items():
            self.effects[position] = without_step_value(effect)


def keeps_secrets(outcome: Outcome) -> bool:
    """Return whether the token and inputs are kept: it is parked and its block not completed."""
    return outcome.status is OutcomeStatus.PARKED and not outcome.confirmed_by


def without_step_value(effect: Effect) -> Effect:
    """Return the effect without the value of a step; a message keeps its ids."""
    return effect if effect.kind == SEND else replace(effect, value=b"")


def assumed_sent(effect: Effect) -> Effect:
    """Return the effect as sent, if it is a message whose delivery is unknown."""
    if effect.kind != SEND or effect.state not in {EffectState.INTENDED, EffectState.UNKNOWN}:
        return effect
    return replace(effect, state=EffectState.CONFIRMED, value=MESSAGE_WITHOUT_ID)
