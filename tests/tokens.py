"""Tokens in the form of JSON Web Tokens, made without the library that reads them."""

import base64
import hmac
import json
from typing import Any

HEADER = {"alg": "HS256", "typ": "JWT"}


def encoded(part: Any) -> str:
    """One part of a token: base64url without padding."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_token(claims: Any, key: str, **header: Any) -> str:
    """A token whose signature is made with this key; its header may differ from the usual one."""
    signed = f"{encoded(HEADER | header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(key.encode(), signed.encode(), 'sha256'))}"


def unsigned_token(claims: Any) -> str:
    """A token with a signature that fits no key: vertexkit does not verify it by default."""
    return f"{encoded(HEADER)}.{encoded(claims)}.{encoded(b'signature')}"
