"""Retries: the back-off and the header Retry-After."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vertexkit.botone.retries import (
    INITIAL_BACKOFF_SECONDS,
    MAX_BACKOFF_SECONDS,
    backoff,
    may_retry,
    parse_retry_after,
)
from vertexkit.errors import (
    BadRequest,
    PlatformError,
    PlatformUnreachable,
    RateLimited,
    SendOutcomeUnknown,
)

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    "kind, idempotent, expected",
    [
        (PlatformUnreachable, False, True),
        (RateLimited, False, True),
        (SendOutcomeUnknown, False, False),
        (SendOutcomeUnknown, True, True),
        (BadRequest, True, False),
    ],
)
def test_only_safe_requests_are_retried(
    kind: type[PlatformError], idempotent: bool, expected: bool
) -> None:
    """A request whose fate is unknown is retried only if it is idempotent, a rejected one never."""
    assert may_retry(kind("GET", "/x"), idempotent=idempotent) is expected


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("60", MAX_BACKOFF_SECONDS),
        ("61", MAX_BACKOFF_SECONDS),
        ("86400000", MAX_BACKOFF_SECONDS),
        ("1e400", MAX_BACKOFF_SECONDS),
        ("inf", MAX_BACKOFF_SECONDS),
        ("9" * 5000, MAX_BACKOFF_SECONDS),
        ("-1", 0.0),
        ("-inf", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 10:28:30 +0300", 30.0),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
        ("Thu, 22 Oct 2026 07:28:00 GMT", MAX_BACKOFF_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MAX_BACKOFF_SECONDS),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    """Seconds and HTTP dates are read; a date in the past is 0, and the pause is limited."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "soon", "5 s", "nan", "0x10", "2026-10-21T07:28:00Z", "Wed, 21", "\udcff"],
)
def test_an_invalid_retry_after_is_none(value: str | None) -> None:
    """An invalid value counts as a missing header."""
    assert parse_retry_after(value, NOW) is None


@pytest.mark.unmeasured
@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d+ Oct \d+ \d+:\d+:\d+ ([+-]\d+|GMT)")))
@example("Wed, 21 Oct 99999999999999999999 07:28:00 GMT")
@example("Wed, 21 Oct 2026 07:28:99999999999999 GMT")
@example("Wed, 21 Oct 2026 07:28:00 +99999999999999999999")
def test_any_retry_after_is_parsed(value: str) -> None:
    """Any value is a pause within the limits or None, and raises no error."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_BACKOFF_SECONDS


def test_a_date_is_compared_with_the_current_time() -> None:
    """The current date is a pause of about zero seconds."""
    seconds = parse_retry_after(format_datetime(datetime.now(UTC)))
    assert seconds is not None
    assert seconds < 5


def test_pauses_grow_to_the_maximum() -> None:
    """Each failure doubles the pause; it is randomised by half and never exceeds the maximum."""
    for failures in range(1, 100):
        full = min(INITIAL_BACKOFF_SECONDS * 2.0 ** (failures - 1), MAX_BACKOFF_SECONDS)
        waits = [backoff(failures) for _ in range(20)]
        assert all(full / 2 <= wait <= full for wait in waits)
    assert backoff(10**9) <= MAX_BACKOFF_SECONDS


def test_pauses_are_randomised() -> None:
    """Requests that failed at the same time are not retried at the same time."""
    assert len({backoff(3) for _ in range(100)}) > 50


def test_a_pause_is_not_shorter_than_retry_after() -> None:
    """Retry-After is the lower bound of the pause, which is randomised by a tenth."""
    waits = [backoff(1, 30.0) for _ in range(50)]
    assert all(30.0 <= wait <= 33.0 for wait in waits)
    assert len(set(waits)) > 25
    assert backoff(20, 1.0) >= MAX_BACKOFF_SECONDS / 2


def test_the_first_pause_can_be_longer() -> None:
    """The pauses double from the given one, and have the same upper bound."""
    for failures, longest in ((1, 4.0), (2, 8.0), (3, 16.0), (9, MAX_BACKOFF_SECONDS)):
        waits = [backoff(failures, initial=4.0) for _ in range(50)]
        assert longest / 2 <= min(waits) <= max(waits) <= longest
