"""One execution that is under way, as a journal's process has it in mind."""

from dataclasses import dataclass, field, replace

from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.protocol import Lease, Moment, Record

SEND = "send"
UNNUMBERED = b'{"message_id":null,"created_at":null}'


@dataclass(slots=True)
class Row:
    """Everything about one execution from its acceptance to its outcome. It changes."""

    execution: Execution
    key: bytes
    number: int = 0
    """Of its line in a file; grows with each acceptance."""
    phase: Phase = Phase.WAITING
    epoch: int = 0
    attempts: int = 0
    worker: str = ""
    effects: dict[int, Effect] = field(default_factory=dict)
    result: Result | None = None
    completion_tried: bool = False
    superseded: bool = False
    crashed: bool = False
    follows: "Row | None" = None
    """The earlier execution of the same call that has to settle first."""
    followers: list["Row"] = field(default_factory=list)
    """Executions of the same call that wait for this one to settle."""
    arriving: bool = False
    """Not kept yet: it may still come to nothing."""
    elsewhere: bool = False
    """Its call is too large to be held in mind: it has to be fetched when it is claimed."""
    dialog: int | None = None
    claimed_at: float | None = None
    due_at: float | None = None
    due_in: float | None = None
    """Seconds from its release to `due_at`, so that a clock that was set back cannot stretch it."""
    concluded_at: float | None = None
    tried_at: float | None = None
    tries: int = 0
    ended_at: float | None = None
    trail: list[Moment] = field(default_factory=list)

    @property
    def queue(self) -> str:
        """Where it waits: its block's name, or `FIXED` once it needs no handler any more."""
        return self.execution.block if self.result is None else FIXED

    def lease(self) -> Lease:
        """All that a worker needs to go on with it."""
        return Lease(
            self.execution,
            self.worker,
            self.epoch,
            self.attempts,
            dict(self.effects),
            self.result,
            self.completion_tried,
            self.crashed,
        )

    def record(self) -> Record:
        """As operators see it."""
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
            concluded_at=self.concluded_at,
            tried_at=self.tried_at,
            tries=self.tries,
            trail=tuple(self.trail),
        )

    def ended(self, outcome: Outcome) -> Record:
        """As operators see it after its end."""
        kept = keeps_secrets(outcome)
        return replace(
            self.record(),
            phase=Phase.SETTLED,
            effects=tuple(self.effects.values() if kept else map(erased, self.effects.values())),
            result=self.result if kept else None,
            outcome=outcome,
            worker="",
            due_at=None,
            ended_at=self.ended_at,
            kept=kept,
        )


FIXED = ""
"""The queue of those whose result is fixed: they need no handler, and so no room."""


def keeps_secrets(outcome: Outcome) -> bool:
    """Can an operator still try it again: it was parked, and its block is not complete?"""
    return outcome.status is OutcomeStatus.PARKED and not outcome.confirmed_by


def erased(effect: Effect) -> Effect:
    """An effect without what it gave back, but for the ids of a message."""
    return effect if effect.kind == SEND else replace(effect, value=b"")


def assumed(effect: Effect) -> Effect:
    """An effect after an operator has decided to go on: a message of unknown fate was sent."""
    if effect.kind != SEND or effect.state not in {EffectState.INTENDED, EffectState.UNKNOWN}:
        return effect
    return replace(effect, state=EffectState.CONFIRMED, value=UNNUMBERED)
