"""One call of a block, and the values that tell its story."""

import base64
import binascii
import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic_core import CoreSchema, core_schema, from_json

CLAIM_LENGTH = 64
JWT = re.compile(r"[\w-]{1,1024}\.([\w-]{1,3072})\.[\w-]{1,512}", re.ASCII)
TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says of itself. **Unverified**: only the platform has the key.

    Good for correlating logs; never for deciding who may do what.
    """

    instance: str | None = None
    """The platform's instance, the first label of its host name."""
    dialog_id: int | None = None
    """The dialog, as V1 numbers it."""
    vertex_id: str | None = None
    """The block's place in the bot's flow."""
    session_id: int | None = None
    """The platform's session."""


class Token:
    """The integration token of one call: whoever holds it can speak in the dialog.

    It shows itself as a short fingerprint wherever it is printed, formatted, logged, pickled or
    put into JSON. `reveal()` gives the secret itself.

    Raises:
        ValueError: it is empty, longer than 4,096 characters, or holds spaces, control or
            non-ASCII characters.
    """

    def __init__(self, secret: str) -> None:
        if not TOKEN.fullmatch(secret):
            raise ValueError("a token is 1 to 4096 printable ASCII characters without spaces")
        self._secret = secret
        self._fingerprint = ""
        self._claims: Claims | None = None
        self._claims_read = False

    def reveal(self) -> str:
        """The token itself. Never log it."""
        return self._secret

    @property
    def fingerprint(self) -> str:
        """The first eight hex digits of its SHA-256: enough to tell two tokens apart."""
        if not self._fingerprint:
            self._fingerprint = hashlib.sha256(self._secret.encode()).hexdigest()[:8]
        return self._fingerprint

    @property
    def claims(self) -> Claims | None:
        """What it says of itself if it has the shape of a JWT, else None. Unverified."""
        if not self._claims_read:
            self._claims, self._claims_read = read_claims(self._secret), True
        return self._claims

    @property
    def whose(self) -> dict[str, Any]:
        """Its dialog, as log lines name it by what the token claims; empty if it is no JWT."""
        claims = self.claims
        if claims is None:
            return {}
        return {
            "instance": claims.instance,
            "dialog": claims.dialog_id,
            "vertex": claims.vertex_id,
            "session": claims.session_id,
        }

    def __repr__(self) -> str:
        return f"Token({self.fingerprint})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._secret == other._secret

    def __hash__(self) -> int:
        return hash(self._secret)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return (str, (repr(self),))

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        return core_schema.is_instance_schema(cls, serialization=core_schema.to_string_ser_schema())


def read_claims(secret: str) -> Claims | None:
    """Read the claims of a JWT without verifying it; None if it is not one."""
    shape = JWT.fullmatch(secret)
    if shape is None:
        return None
    body = shape.group(1)
    try:
        claims = from_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(claims, dict):
        return None
    return Claims(
        instance=_text(claims.get("instance")),
        dialog_id=_number(claims.get("dialog_id")),
        vertex_id=_text(claims.get("vertex_id")),
        session_id=_number(claims.get("session_id")),
    )


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return UNPRINTABLE.sub("", value)[:CLAIM_LENGTH]
    return str(value) if type(value) is int and abs(value) < 1 << 63 else None


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if type(value) is int and abs(value) < 1 << 63 else None


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
