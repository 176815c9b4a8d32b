"""The token of a call, and its claims."""

import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema, from_json

CLAIM_CHARACTERS = 64
"""Length at which a text claim is cut."""
JWT = re.compile(r"[\w-]{1,1024}\.([\w-]{1,3072})\.[\w-]{1,512}", re.ASCII)
"""A whole text that has the shape of a JWT; the group is its payload."""
JWT_IN_TEXT = re.compile(r"eyJ[\w-]+\.([\w-]+)(?:\.[\w-]*)?", re.ASCII)
"""A JWT anywhere in a text, even if its signature is cut off; the group is its payload."""
JWT_IN_BYTES = re.compile(JWT_IN_TEXT.pattern.encode())
TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token. **Unverified**: only the platform has the key.

    Use them to correlate logs, never to decide who may do what.
    """

    instance: str | None = None
    """Instance of the platform: the first label of its host name."""
    dialog_id: int | None = None
    """Id of the dialog in the V1 API."""
    vertex_id: str | None = None
    """Id of the block in the bot's flow."""
    session_id: int | None = None
    """Id of the platform's session."""


class Token:
    """The integration token of one call. Its holder can send messages to the dialog.

    When it is printed, formatted, logged, pickled or serialised to JSON, only a short fingerprint
    is shown. `reveal()` returns the secret itself.

    Args:
        secret: The token.

    Raises:
        ValueError: The token is empty, longer than 4,096 characters, or contains spaces, control
            characters or non-ASCII characters.
    """

    def __init__(self, secret: str) -> None:
        if not TOKEN.fullmatch(secret):
            raise ValueError(
                "a token must consist of 1 to 4096 printable ASCII characters without spaces"
            )
        self._secret = secret
        self._fingerprint = ""
        self._claims: Claims | None = None
        self._claims_read = False
        self._log_fields: dict[str, Any] | None = None
        self.mask: object = None
        """What masks it in log lines: `telemetry.redaction` makes it once for each token."""

    def reveal(self) -> str:
        """Return the token itself. Never log it."""
        return self._secret

    @property
    def fingerprint(self) -> str:
        """The first eight hex digits of its SHA-256: enough to distinguish two tokens."""
        if not self._fingerprint:
            self._fingerprint = hashlib.sha256(self._secret.encode()).hexdigest()[:8]
        return self._fingerprint

    @property
    def claims(self) -> Claims | None:
        """Its claims, **unverified**; None if it is not a JWT."""
        if not self._claims_read:
            self._claims, self._claims_read = read_claims(self._secret), True
        return self._claims

    @property
    def log_fields(self) -> dict[str, Any]:
        """Its claims as fields of a log line; empty if it is not a JWT."""
        if self._log_fields is None:
            self._log_fields = _log_fields(self.claims)
        return self._log_fields

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


def _log_fields(claims: Claims | None) -> dict[str, Any]:
    if claims is None:
        return {}
    return {
        "instance": claims.instance,
        "dialog": claims.dialog_id,
        "vertex": claims.vertex_id,
        "session": claims.session_id,
    }


def read_claims(secret: str) -> Claims | None:
    """Read the claims of a JWT without verifying it.

    Args:
        secret: a token.

    Returns:
        The claims; None if the token is not a JWT.
    """
    match = JWT.fullmatch(secret)
    claims = None if match is None else decode_payload(match[1])
    if claims is None:
        return None
    return Claims(
        instance=_text(claims.get("instance")),
        dialog_id=_number(claims.get("dialog_id")),
        vertex_id=_text(claims.get("vertex_id")),
        session_id=_number(claims.get("session_id")),
    )


def decode_payload(payload: str) -> dict[str, Any] | None:
    """Decode the payload of a JWT.

    Args:
        payload: in base64url, as the token contains it.

    Returns:
        All claims, unverified; None if the payload is not a JSON object.
    """
    try:
        encoded = payload.replace("-", "+").replace("_", "/") + "=" * (-len(payload) % 4)
        claims = from_json(binascii.a2b_base64(encoded))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        text = value if value.isascii() and value.isprintable() else UNPRINTABLE.sub("", value)
        return text[:CLAIM_CHARACTERS]
    return str(value) if type(value) is int and abs(value) < 1 << 63 else None


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if type(value) is int and abs(value) < 1 << 63 else None
