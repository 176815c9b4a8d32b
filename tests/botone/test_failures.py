"""From the platform's answers to errors, and the pauses after them."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vertexkit import errors
from vertexkit.botone.failures import from_response
from vertexkit.botone.response import Response
from vertexkit.botone.retries import (
    INITIAL_BACKOFF_SECONDS,
    MAX_BACKOFF_SECONDS,
    backoff,
    parse_retry_after,
)
from vertexkit.errors import ERROR_BODY_CHARACTERS, Fate, PlatformError

V1, VERTEX = "/v1/conversations", "/vertex/v1/complete"
NAMED = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    408: errors.RateLimited,
    429: errors.RateLimited,
}
FATES = {
    errors.BadRequest: Fate.REJECTED,
    errors.Unauthorized: Fate.REJECTED,
    errors.Forbidden: Fate.FORBIDDEN,
    errors.NotFound: Fate.REJECTED,
    errors.RateLimited: Fate.RETRYABLE,
    errors.ServerError: Fate.UNKNOWN,
}
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)
TOKEN = 'a/b"c\\d.very-secret-token'


def of(status: int, body: bytes = b"", retry_after: str | None = None) -> PlatformError:
    return from_response("POST", VERTEX, Response(status, body, retry_after), TOKEN)


@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_status_has_its_error(status: int) -> None:
    """Each status from 400 to 599 becomes one class of the tree, with its fate and its numbers."""
    error = from_response("GET", V1, Response(status, b"said"))
    kind = NAMED.get(status, errors.BadRequest if status < 500 else errors.ServerError)
    assert type(error) is kind
    assert error.fate is FATES[kind]
    assert (error.method, error.path, error.status, error.body) == ("GET", V1, status, "said")
    assert error.retry_after is None
    assert str(error) == f"GET {V1}: answered {status}"


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 399, 600, 999])
def test_what_no_method_answers_is_unexpected(status: int) -> None:
    """A redirect is not followed, and a status out of range is no success: both are said to be so."""
    error = of(status)
    assert type(error) is errors.UnexpectedResponse
    assert error.fate is Fate.REJECTED


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/vertex/v1/complete", errors.DialogGone),
        ("/vertex/v1/dialog/send_message", errors.DialogGone),
        ("/v2/conversation/1", errors.Forbidden),
    ],
)
def test_only_a_running_block_can_lose_its_dialog(path: str, kind: type[PlatformError]) -> None:
    """403 means a dialog that is gone on the Vertex methods, and a refusal elsewhere."""
    error = from_response("POST", path, Response(403))
    assert type(error) is kind
    assert error.fate is Fate.FORBIDDEN


@pytest.mark.parametrize(
    "status, retry_after, fate",
    [
        (503, "1", Fate.RETRYABLE),
        (503, "0", Fate.RETRYABLE),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", Fate.RETRYABLE),
        (503, None, Fate.UNKNOWN),
        (503, "soon", Fate.UNKNOWN),
        (500, "1", Fate.UNKNOWN),
        (502, "1", Fate.UNKNOWN),
        (504, "1", Fate.UNKNOWN),
        (429, None, Fate.RETRYABLE),
        (408, None, Fate.RETRYABLE),
        (400, "1", Fate.REJECTED),
        (403, "1", Fate.FORBIDDEN),
    ],
)
def test_only_who_asks_to_come_back_has_refused(
    status: int, retry_after: str | None, fate: Fate
) -> None:
    """Of the 5xx only a 503 with a readable Retry-After surely did nothing."""
    assert of(status, retry_after=retry_after).fate is fate


@pytest.mark.parametrize(
    "said, seconds",
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
def test_retry_after_is_seconds_or_a_date(said: str, seconds: float) -> None:
    """Seconds and HTTP dates are read; what lies in the past is now, and no pause is absurd."""
    assert parse_retry_after(said, NOW) == seconds


@pytest.mark.parametrize(
    "said",
    [None, "", " ", "soon", "5 s", "nan", "0x10", "2026-10-21T07:28:00Z", "Wed, 21", "\udcff"],
)
def test_a_retry_after_that_says_nothing_counts_as_none(said: str | None) -> None:
    """Garbage is as if the header were not there."""
    assert parse_retry_after(said, NOW) is None


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d+ Oct \d+ \d+:\d+:\d+ ([+-]\d+|GMT)")))
@example("Wed, 21 Oct 99999999999999999999 07:28:00 GMT")
@example("Wed, 21 Oct 2026 07:28:99999999999999 GMT")
@example("Wed, 21 Oct 2026 07:28:00 +99999999999999999999")
def test_no_retry_after_breaks_the_reading(said: str) -> None:
    """Whatever the header holds, it is a pause within bounds or none, never another error."""
    seconds = parse_retry_after(said, NOW)
    assert seconds is None or 0 <= seconds <= MAX_BACKOFF_SECONDS


def test_a_date_is_held_against_the_clock_of_now() -> None:
    """Without another moment given, a date that is now asks for no pause worth the name."""
    seconds = parse_retry_after(format_datetime(datetime.now(UTC)))
    assert seconds is not None
    assert seconds < 5


def test_the_error_carries_the_pause_asked_for() -> None:
    """Who handles the error finds the capped seconds in it."""
    assert of(429, retry_after="3600").retry_after == MAX_BACKOFF_SECONDS
    assert of(503, retry_after="3").retry_after == 3.0


def test_pauses_grow_to_their_longest() -> None:
    """Each failure doubles the pause, spread over half of it, and it never exceeds the longest."""
    for failures in range(1, 100):
        full = min(INITIAL_BACKOFF_SECONDS * 2.0 ** (failures - 1), MAX_BACKOFF_SECONDS)
        waits = [backoff(failures) for _ in range(20)]
        assert all(full / 2 <= wait <= full for wait in waits)
    assert backoff(10**9) <= MAX_BACKOFF_SECONDS


def test_pauses_are_spread() -> None:
    """Many who failed together do not come back together."""
    assert len({backoff(3) for _ in range(100)}) > 50


def test_a_pause_is_at_least_what_was_asked() -> None:
    """The platform's Retry-After is a floor, not a ceiling, and spread over a tenth of it."""
    waits = [backoff(1, 30.0) for _ in range(50)]
    assert all(30.0 <= wait <= 33.0 for wait in waits)
    assert len(set(waits)) > 25
    assert backoff(20, 1.0) >= MAX_BACKOFF_SECONDS / 2


@pytest.mark.parametrize(
    "spelled",
    [TOKEN, r"a/b\"c\\d.very-secret-token", r"a\/b\"c\\d.very-secret-token"],
    ids=["plain", "json", "json with slashes escaped"],
)
@pytest.mark.parametrize(
    "before", [0, ERROR_BODY_CHARACTERS - 5, ERROR_BODY_CHARACTERS + 1, 8192 - 9]
)
def test_the_token_is_in_no_error(spelled: str, before: int) -> None:
    """A platform that repeats the token, wherever and however, does not bring it into an error."""
    echo = spelled.encode() * 400 + b"x" * before + spelled.encode() * 400
    error = of(400, echo)
    for shown in (error.body, str(error), repr(error), str(vars(error))):
        assert "very-secret" not in shown
    assert error.body.startswith("[secret]")


def test_a_body_is_shown_in_part_and_as_text() -> None:
    """An error keeps the beginning of the body, and bytes that are no UTF-8 do not break it."""
    error = of(500, b"\xff" + "Ошибка".encode() + b"x" * 10_000)
    assert len(error.body) == ERROR_BODY_CHARACTERS
    assert error.body.startswith("\ufffdОшибка")
