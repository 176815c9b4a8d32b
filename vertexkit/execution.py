"""One call of a block, from its acceptance to its outcome."""

import hashlib
import os
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vertexkit.token import Token


def new_execution_id() -> str:
    """A new execution's name: 22 hex digits that sort by the millisecond they were made in."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(5).hex()}"


@dataclass(frozen=True, slots=True)
class Execution:
    """One accepted call of a block."""

    id: str
    block: str
    token: Token
    inputs: dict[str, Any] = field(repr=False)
    """What the call brought for the block, not yet validated."""
    raw: bytes = field(default=b"", repr=False)
    """The call's body as it came. It holds the token."""
    accepted_at: float = 0.0
    """Unix seconds."""
    trace: str = field(default="", compare=False)
    """The call's span as a `traceparent`. Not in a file: after a restart it is gone."""

    @property
    def key(self) -> bytes:
        """What makes two calls the same call: the block and the token, hashed."""
        return hashlib.sha256(f"{self.block}\n{self.token.reveal()}".encode()).digest()


class EffectState(StrEnum):
    """How far an effect got."""

    INTENDED = "intended"
    """Committed before its first byte; after a crash its fate is unknown."""
    CONFIRMED = "confirmed"
    """It happened: the platform or the step said so."""
    REJECTED = "rejected"
    """It did not happen."""
    UNKNOWN = "unknown"
    """It may have happened; nobody can tell."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One message or step of an execution, journalled by its position in the handler's run."""

    position: int
    kind: str
    """`send`, or `step:` and the step's name. Another kind at a position is another program."""
    digest: str = ""
    """A short hash of what it was asked to do, to notice that a second run asked otherwise."""
    state: EffectState = EffectState.INTENDED
    value: bytes = field(default=b"", repr=False)
    """What it gave back, as JSON."""
    began: float = field(default=0.0, compare=False)
    """Unix seconds of the intent. The journal fills this and the next one in."""
    ended: float = field(default=0.0, compare=False)
    """Unix seconds at which its fate was written; that of the intent while it is open."""


class Ending(StrEnum):
    """The three ways in which an execution ends."""

    COMPLETED = "completed"
    """The platform took the completion; its data may be a failure's."""
    GONE = "gone"
    """The platform has no dialog left to complete."""
    PARKED = "parked"
    """Given up with a reason, and kept for an operator."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended: exactly one for each."""

    ending: Ending
    code: str = "ok"
    """`ok`, or the failure's code: `timeout`, `gone`, `internal`, an author's own, ..."""
    confirmed_by: str = ""
    """What confirmed the completion: `204`, `403` (after a lost answer) or `call` (the next)."""
    reason: str = ""
    """For an operator, one sentence."""


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
