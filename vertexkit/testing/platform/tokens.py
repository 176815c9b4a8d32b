"""Integration tokens as the platform issues them: JWTs, signed with a key of the fake's own."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

SIGNING_KEY = b"the key of the fake platform: it opens nothing anywhere"


@dataclass(frozen=True, slots=True)
class FakeClaims:
    """The claims of a token: these four, as in the example of the vendor's document.

    Attributes:
        instance: the platform's instance, the first label of its host name.
        dialog_id: the dialog's number.
        vertex_id: the block's vertex in the bot's flow.
        session_id: the session within the dialog.
    """

    instance: str
    dialog_id: int
    vertex_id: str
    session_id: int


def sign(claims: FakeClaims) -> str:
    """Return a JWT (`HS256`) of these claims. Equal claims give equal bytes, as on the platform."""
    content = {
        "instance": claims.instance,
        "dialog_id": claims.dialog_id,
        "vertex_id": claims.vertex_id,
        "session_id": claims.session_id,
    }
    signed = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(content)}"
    return f"{signed}.{_encode(hmac.digest(SIGNING_KEY, signed.encode(), 'sha256'))}"


def read_claims(token: str) -> FakeClaims | None:
    """Return the claims of a JWT without checking its signature.

    Returns:
        The claims, or None if the token is not a JWT or does not hold exactly these four types.
    """
    try:
        _, part, _ = token.split(".")
        content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
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
    """Return the first eight hex digits of its SHA-256, which logs and messages show instead."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _encode_json(content: Mapping[str, object]) -> str:
    return _encode(json.dumps(content, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
