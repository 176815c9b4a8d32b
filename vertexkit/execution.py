"""An execution is one call of a block, from its acceptance to its outcome."""

import base64
import hashlib
import hmac
import os
import random
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vertexkit.token import Token

_random = random.Random()  # noqa: S311 - an id need not be secret
"""Seeded by the operating system; an author's `random.seed()` does not change it."""
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_random.seed)


def new_execution_id() -> str:
    """Return a new execution id: 22 hex digits that sort by the millisecond of their creation."""
    return f"{time.time_ns() // 1_000_000:012x}{_random.getrandbits(40):010x}"


@dataclass(frozen=True, slots=True)
class Execution:
    """One accepted call of a block."""

    id: str
    block: str
    token: Token
    inputs: dict[str, Any] = field(repr=False)
    """The block's inputs, before validation."""
    raw: bytes = field(default=b"", repr=False)
    """The call's body, decompressed. It contains the token."""
    accepted_at: float = 0.0
    """Unix seconds."""
    trace: str = field(default="", compare=False)
    """The call's span as a `traceparent`. It is not written to a file: after a restart it is
    empty."""
    limit_key: str | None = None
    """Hash of the key under which the limits of its block apply; empty if the block has no keys.
    None: its block had no limits when the call was accepted, and no limit applies."""

    @property
    def key(self) -> bytes:
        """Hash of the block and the token. Calls with equal keys are the same call."""
        return hashlib.sha256(f"{self.block}\n{self.token.reveal()}".encode()).digest()


SEND = "send"
"""Kind of an effect that is a message."""
STEP = "step:"
"""Start of the kind of an effect that is a step; its name follows."""
OR_SAY = "or_say"
"""Kind of an effect that is the decision of `ctx.or_say`: whether its message is sent."""
SLEEP = "sleep"
"""Kind of an effect that is `ctx.sleep`."""
WAIT = "wait:"
"""Start of the kind of an effect that waits for an event; the event's name follows."""
MEMORY_GET, MEMORY_SET, MEMORY_DELETE = "memory.get:", "memory.set:", "memory.delete:"
MEMORY_UPDATE = "memory.update:"
"""Starts of the kinds of effects on the dialog's memory; the name of the value follows."""
EVENT = "event:"
"""Start of the kind of an event that was delivered; its name follows."""
EVENT_POSITION = 2_000_000
"""Position of an execution's first event: after the effects of the handler and of its hook."""


class EffectState(StrEnum):
    """State of an effect in the journal."""

    INTENDED = "intended"
    """About to be performed. After a crash it is unknown whether it was performed."""
    CONFIRMED = "confirmed"
    """Performed: the platform confirmed the message, or the step returned."""
    REJECTED = "rejected"
    """Not performed."""
    UNKNOWN = "unknown"
    """It is unknown whether it was performed."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One message, step, wait, event or use of the memory, journalled by its position.

    The position is the one in the handler's run, or `EVENT_POSITION` and more for an event.
    """

    position: int
    kind: str
    """`send`, `sleep`, or `step:`, `wait:`, `event:` or `memory.get:` and a name. A run with another kind at the
    same position is not a repetition of the first run."""
    digest: str = ""
    """A short hash of a message's text, so that a later run with another text is noticed."""
    state: EffectState = EffectState.INTENDED
    value: bytes = field(default=b"", repr=False)
    """Its result as JSON."""
    began: float = field(default=0.0, compare=False)
    """Time of the intent, in Unix seconds. The journal sets this field and the next one."""
    ended: float = field(default=0.0, compare=False)
    """Time at which its outcome was written, in Unix seconds; before that, the time of the
    intent."""


class OutcomeStatus(StrEnum):
    """The three ways in which an execution ends."""

    COMPLETED = "completed"
    """The platform confirmed the completion. The result may be a failure."""
    GONE = "gone"
    """The dialog does not exist any more."""
    PARKED = "parked"
    """Kept for an operator, with a reason."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended. Every execution has exactly one outcome."""

    status: OutcomeStatus
    code: str = "ok"
    """`ok`, or the failure's code: `timeout`, `gone`, `internal`, an author's own, ..."""
    confirmed_by: str = ""
    """What confirmed the completion: `204`, `403` (after a lost response), or `call` (the platform
    made the same call again)."""
    reason: str = ""
    """One sentence for an operator."""


class Phase(StrEnum):
    """Phase of an execution in the journal."""

    WAITING = "waiting"
    """It has been accepted or has to run again. A worker may claim it when it is due."""
    SUSPENDED = "suspended"
    """Its handler waits for a time or for an event. It becomes `WAITING` when that comes."""
    RUNNING = "running"
    """A worker has claimed it and runs its handler."""
    COMPLETING = "completing"
    """Its result is recorded; the platform has not confirmed the completion yet."""
    SETTLED = "settled"
    """It has an outcome."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a block is completed with. It is recorded before the first try and never changes."""

    data: bytes = field(repr=False)
    """JSON. Every try sends the same bytes."""
    code: str = "ok"
    """`ok` or a failure's code."""


def event_signature(key: bytes, execution: str, name: str) -> str:
    """Return the signature in the URL of an event: 32 characters that need no escape in a URL.

    Any client that has the URL can deliver the event. The signature can be made only with the token
    of the execution, which is erased at its end.

    Args:
        key: `Execution.key`.
        execution: id of the execution.
        name: name of the event.
    """
    message = f"event\n{execution}\n{name}".encode()
    digest = hmac.digest(key, message, "sha256")
    return base64.urlsafe_b64encode(digest[:24]).decode()
