"""Requests a URL to measure its response time and to compare clocks."""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5.0
"""Time for the response."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe."""

    seconds: float = 0.0
    """Response time."""
    clock_skew: float | None = None
    """Seconds by which this machine's clock is ahead; None if the response has no date."""
    error: str = ""
    """Why there was no response; empty if there was one, whatever its status."""


def probe(url: str) -> ProbeResult:
    """Send a HEAD request, which changes nothing on the server.

    Args:
        url: `http://` or `https://`.

    Returns:
        The result.
    """
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    started = time.monotonic()
    try:
        connection.request("HEAD", parts.path or "/")
        date = connection.getresponse().headers["date"]
    except (OSError, HTTPException) as error:
        return ProbeResult(error=str(error) or type(error).__name__)
    finally:
        connection.close()
    return ProbeResult(time.monotonic() - started, _clock_skew(date))


def _clock_skew(date: str | None) -> float | None:
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
