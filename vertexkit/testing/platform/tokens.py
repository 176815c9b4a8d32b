"""Integration tokens as the platform makes them: JWTs, signed with a key that opens nothing."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

KEY = b"the key of the fake platform: it opens nothing anywhere"


@dataclass(frozen=True, slots=True)
class FakeClaims:
    """What a token says: these four, as in the example of the vendor's document."""

    instance: str
    """The platform's instance, the first label of its host name."""
    dialog_id: int
    """The dialog's number."""
    vertex_id: str
    """The block's place in the bot's flow."""
    session_id: int
    """The session within the dialog."""


def sign(claims: FakeClaims) -> str:
    """A JWT (`HS256`) of these claims. Equal claims give equal bytes, as on the platform."""
    content = {
        "instance": claims.instance,
        "dialog_id": claims.dialog_id,
        "vertex_id": claims.vertex_id,
        "session_id": claims.session_id,
    }
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(content)}"
    return f"{signed}.{_encode(hmac.digest(KEY, signed.encode(), 'sha256'))}"


def read(token: str) -> FakeClaims | None:
    """The claims of a JWT, whoever signed it; None if it is not one or says something else."""
    try:
        _, part, _ = token.split(".")
        content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    instance, vertex = content.get("instance"), content.get("vertex_id")
    dialog, session = content.get("dialog_id"), content.get("session_id")
    if not isinstance(instance, str) or not isinstance(vertex, str):
        return None
    if type(dialog) is not int or type(session) is not int:
        return None
    return FakeClaims(instance, dialog, vertex, session)


def fingerprint(token: str) -> str:
    """The first eight hex digits of its SHA-256: what logs and sentences show instead of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _part(content: Mapping[str, object]) -> str:
    return _encode(json.dumps(content, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
