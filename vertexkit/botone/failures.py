"""From the platform's answers to errors, in one place; and how long to wait after one."""

import math
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic_core import to_json

from vertexkit.botone.wire import Answer
from vertexkit.errors import (
    BadRequest,
    DialogGone,
    Forbidden,
    NotFound,
    PlatformError,
    RateLimited,
    ServerError,
    Unauthorized,
    UnexpectedAnswer,
)

LONGEST_PAUSE = 60.0
"""Seconds: whatever `Retry-After` asks for, and however often something failed."""
FIRST_PAUSE = 0.2
VERTEX = "/vertex/"

STATUSES: dict[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: RateLimited,
    429: RateLimited,
}


def translate(method: str, path: str, answer: Answer, *secrets: str) -> PlatformError:
    """The error that an answer which is no success means.

    Args:
        method: of the request.
        path: of the request, without host and query.
        answer: what the platform said.
        *secrets: texts that must not appear in the error even if the platform repeats them.
    """
    status = answer.status
    if status in STATUSES:
        kind = STATUSES[status]
    elif 400 <= status < 500:
        kind = BadRequest
    elif 500 <= status < 600:
        kind = ServerError
    else:
        kind = UnexpectedAnswer
    if kind is Forbidden and VERTEX in path:
        kind = DialogGone
    body = answer.body.decode(errors="replace")
    for secret in secrets:
        body = _masked(body, secret)
    return kind(
        method, path, status=status, body=body, retry_after=parse_retry_after(answer.retry_after)
    )


def _masked(text: str, secret: str) -> str:
    """The text without the secret, as it is and as JSON may spell it."""
    spelled = to_json(secret).decode()[1:-1]
    for each in (secret, spelled, spelled.replace("/", r"\/")):
        text = text.replace(each, "[masked]")
    return text


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` asks for, between 0 and `LONGEST_PAUSE`.

    It is a number of seconds or an HTTP date; anything else counts as not given: None.
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
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def pause(failures: int, asked: float | None = None) -> float:
    """Seconds to wait after so many failures in a row, 1 or more.

    What the platform asked for is a floor; else doubled each time. Spread by chance, so that many
    waiting executions do not come back all at once.
    """
    grown = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 20), LONGEST_PAUSE)
    chance = random.random()  # noqa: S311 - it keeps no secret
    return max(grown * (0.5 + chance / 2), (asked or 0.0) * (1.0 + chance / 10))
