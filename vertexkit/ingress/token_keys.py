"""The keys that tokens are signed with, for an installation that has the platform's."""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from vertexkit.token import JWT, Token


class TokenKeys:
    """Knows whether a token is the platform's own.

    Args:
        keys: one of them has signed it (HS256); none at all: every token is taken.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def fit(self, token: Token) -> bool:
        """Is it signed with one of the keys, by no other algorithm, and not out of date?"""
        if not self._keys:
            return True
        secret = token.reveal()
        if JWT.fullmatch(secret) is None:
            return False
        signed, _, signature = secret.rpartition(".")
        head, _, claims = signed.partition(".")
        if _part(head).get("alg") != "HS256":
            return False
        fits = [hmac.compare_digest(_signature(key, signed), signature) for key in self._keys]
        return any(fits) and _is_valid_now(_part(claims))


def _signature(key: bytes, signed: str) -> str:
    digest = hmac.digest(key, signed.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _part(encoded: str) -> dict[str, Any]:
    try:
        part = from_json(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return {}
    return part if isinstance(part, dict) else {}


def _is_valid_now(claims: dict[str, Any]) -> bool:
    """By `exp` and `nbf`, where the platform sets them: seconds since 1970."""
    now = time.time()
    end, begin = claims.get("exp", now + 1), claims.get("nbf", now)
    return isinstance(end, int | float) and isinstance(begin, int | float) and begin <= now < end
