"""When a request to the platform is retried, and how long to wait before it.

The back-off is used for all requests to the platform: messages, completions, the dialog API.
"""

import math
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from vertexkit.errors import Fate, PlatformError

MAX_ATTEMPTS = 5
"""Attempts to send a request to the dialog API, the first one included."""
INITIAL_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 60.0
"""The upper bound of a pause, whatever `Retry-After` says and however many attempts failed."""


def may_retry(error: PlatformError, *, idempotent: bool) -> bool:
    """Check whether a failed request may be sent again.

    Args:
        error: why it failed.
        idempotent: whether sending the request twice has the same effect as sending it once. A
            request that is not idempotent is retried only if the platform has not processed it.
    """
    if error.fate is Fate.UNKNOWN:
        return idempotent
    return error.fate in (Fate.NOT_SENT, Fate.RETRYABLE)


def confirms_completion(error: PlatformError, *, may_have_arrived: bool) -> bool:
    """Check whether a failed completion shows that an earlier attempt has completed the block.

    The platform answers 403 to the completion of a block that is completed already.

    Args:
        error: why the newest attempt failed.
        may_have_arrived: whether the outcome of an earlier attempt is unknown.
    """
    return error.fate is Fate.FORBIDDEN and may_have_arrived


def backoff(
    failures: int,
    retry_after: float | None = None,
    initial: float = INITIAL_BACKOFF_SECONDS,
) -> float:
    """Return the seconds to wait before the next attempt.

    The pause doubles with each failure and is randomised, so that many executions that failed
    together do not retry at the same moment.

    Args:
        failures: failed attempts in a row, at least 1.
        retry_after: seconds that the platform asked to wait; the pause is not shorter.
        initial: seconds of the first pause.
    """
    pause = min(initial * 2.0 ** min(failures - 1, 20), MAX_BACKOFF_SECONDS)
    jitter = random.random()  # noqa: S311 - not used for cryptography
    return max(pause * (0.5 + jitter / 2), (retry_after or 0.0) * (1.0 + jitter / 10))


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Parse the header `Retry-After`: a number of seconds or an HTTP date.

    Args:
        value: the header's value; None if the header is missing.
        now: the time that a date is compared with; the current time by default.

    Returns:
        Seconds between 0 and `MAX_BACKOFF_SECONDS`; None if the header is missing or invalid.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_BACKOFF_SECONDS)
