"""HTTP Basic authentication, as methods 1 to 13 require it."""

import binascii
import hmac
from base64 import b64decode
from dataclasses import dataclass

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Bot.one", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """Why a request is not authenticated.

    Attributes:
        message: a sentence for the response.
        is_violation: the header is malformed. A wrong password is not a violation: the document
            describes it, as 401.
    """

    message: str
    is_violation: bool = True


class BasicAuth:
    """Checks the `Authorization` header against one user.

    Args:
        login: the user's.
        password: the user's.
    """

    def __init__(self, login: str, password: str) -> None:
        self._expected = f"{login}:{password}".encode()

    def check(self, header: str | None) -> AuthFailure | None:
        """Return why this `Authorization` header is rejected, or None if it is accepted."""
        if header is None:
            return AuthFailure("the Authorization header is missing; this method needs HTTP Basic")
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return AuthFailure("the Authorization header is not HTTP Basic")
        try:
            credentials = b64decode(encoded.strip().encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return AuthFailure("the credentials in the Authorization header are not valid Base64")
        if b":" not in credentials:
            return AuthFailure("the credentials in the Authorization header lack the colon")
        if not hmac.compare_digest(credentials, self._expected):
            return AuthFailure("wrong login or password", is_violation=False)
        return None
