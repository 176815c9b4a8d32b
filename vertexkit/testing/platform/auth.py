"""Who may come in: HTTP Basic, as methods 1 to 13 ask for it."""

import binascii
import hmac
from base64 import b64decode

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Bot.one", charset="UTF-8"'}


class Door:
    """Lets one user in.

    Args:
        login: the user's.
        password: the user's.
    """

    def __init__(self, login: str, password: str) -> None:
        self._expected = f"{login}:{password}".encode()

    def refused(self, header: str | None) -> tuple[str, bool] | None:
        """Why this `Authorization` does not open it, and whether a program is to blame for it.

        A wrong password is nobody's mistake: the document has 401 for it. None means: come in.
        """
        if header is None:
            return "there is no Authorization: this method needs HTTP Basic", True
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return "the Authorization is not HTTP Basic", True
        try:
            given = b64decode(encoded.strip().encode("ascii"), validate=True)
        except (UnicodeEncodeError, binascii.Error):
            return "the Authorization is not HTTP Basic: what follows is not Base64", True
        if b":" not in given:
            return "the Authorization is not HTTP Basic: it holds no login:password", True
        if not hmac.compare_digest(given, self._expected):
            return "wrong login or password", False
        return None
