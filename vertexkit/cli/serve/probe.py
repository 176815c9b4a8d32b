"""Requests a URL to measure its response time and to compare clocks."""

import asyncio
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from vertexkit.botone.http_client import HttpError, http_client

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
    """Send a HEAD request, which changes nothing on the server, on the way that a service uses.

    Args:
        url: `http://` or `https://`.

    Returns:
        The result.
    """
    return asyncio.run(_probe(url))


async def _probe(url: str) -> ProbeResult:
    started = time.monotonic()
    try:
        async with http_client(timeout=TIMEOUT_SECONDS) as client:
            response = await client.head(url)
    except HttpError as error:
        return ProbeResult(error=str(error) or type(error).__name__)
    return ProbeResult(time.monotonic() - started, _clock_skew(response.headers.get("date")))


def _clock_skew(date: str | None) -> float | None:
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
