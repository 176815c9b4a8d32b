"""A call's token, and what it claims of itself."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
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
