"""Does an address answer, how fast, and what time does it have?"""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

PATIENCE = 5.0
"""Seconds until an answer."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What came of asking."""

    seconds: float = 0.0
    skew: float | None = None
    """Seconds by which this machine's clock is ahead; None if the answer has no time."""
    trouble: str = ""
    """Why there was no answer; empty if there was one, of whatever status."""


def reach(url: str) -> Reach:
    """Ask for the head of an address; nothing is changed there by that."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PATIENCE)
    began = time.monotonic()
    try:
        connection.request("HEAD", parts.path or "/")
        answer = connection.getresponse()
        date = answer.headers["date"]
    except (OSError, HTTPException) as error:
        return Reach(trouble=str(error) or type(error).__name__)
    finally:
        connection.close()
    return Reach(time.monotonic() - began, _skew(date))


def _skew(date: str | None) -> float | None:
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
