"""The tree of errors."""

import copy
import inspect
import pickle
import re
import traceback
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import vertexkit.errors
from vertexkit.errors import (
    BadRequest,
    BlockFailed,
    CallError,
    DialogGone,
    Fate,
    Forbidden,
    PlatformError,
    PlatformUnreachable,
    QueueFull,
    RateLimited,
    Retry,
    SendOutcomeUnknown,
    ServerError,
    VertexkitError,
)

CLASSES = {
    name: kind
    for name, kind in vars(vertexkit.errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
}


def test_the_tree_is_as_drawn() -> None:
    """The drawing at the top of the module names kind class below its parent."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (vertexkit.errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ]*(?:[├└]── )?)(\w+)(?:\s{2,}|$)", line)
        if found is None or found[2] not in CLASSES:
            continue
        depth = len(found[1]) // 4
        path[depth:] = [found[2]]
        drawn[found[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize(
    "kind, status, retry_after, fate",
    [
        (BadRequest, 400, None, Fate.REJECTED),
        (Forbidden, 403, None, Fate.FORBIDDEN),
        (DialogGone, 403, None, Fate.FORBIDDEN),
        (RateLimited, 429, None, Fate.RETRYABLE),
        (ServerError, 500, None, Fate.UNKNOWN),
        (ServerError, 502, 5.0, Fate.UNKNOWN),
        (ServerError, 503, None, Fate.UNKNOWN),
        (ServerError, 503, 5.0, Fate.RETRYABLE),
        (PlatformUnreachable, None, None, Fate.NOT_SENT),
        (SendOutcomeUnknown, None, None, Fate.UNKNOWN),
    ],
)
def test_each_error_says_whether_the_request_may_be_sent_again(
    kind: type[PlatformError], status: int | None, retry_after: float | None, fate: Fate
) -> None:
    """Only what certainly did not happen may be tried again: the fate says so."""
    error = kind("POST", "/path", status=status, retry_after=retry_after)
    assert error.fate is fate


def test_a_platform_error_holds_what_helps() -> None:
    """Method, path, status and the body's first 2,048 characters; the text is one line."""
    error = ServerError("POST", "/vertex/v1/complete", status=502, body="x" * 5000)
    assert str(error) == "POST /vertex/v1/complete: answered 502"
    assert (error.method, error.path, error.status) == ("POST", "/vertex/v1/complete", 502)
    assert len(error.body) == 2048
    assert str(SendOutcomeUnknown("POST", "/p", reason="no answer")) == "POST /p: no answer"


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES.values() if issubclass(kind, PlatformError)]
)
def test_the_body_of_a_response_is_in_no_text(kind: type[PlatformError]) -> None:
    """A body may repeat what was sent: it is an attribute, and in no log or traceback."""
    error = kind("POST", "/path", status=500, body="the-token")
    assert error.body == "the-token"
    for text in (str(error), repr(error), *traceback.format_exception(error)):
        assert "the-token" not in text


def test_authors_errors_keep_what_they_were_given() -> None:
    """Retry never waits a negative time; BlockFailed and CallError say code and message."""
    assert (Retry(after=-5).after, Retry().after) == (0.0, 1.0)
    assert str(Retry(after=2.5, reason="busy")) == "run again after 2.5 s: busy"
    assert str(BlockFailed("code", "A message.")) == "code: A message."
    assert str(BlockFailed("code")) == "code"
    assert str(CallError(418, "teapot", "Brew.")) == "418 teapot: Brew."


@pytest.mark.parametrize(
    "after, seconds",
    [
        (1, 1.0),
        (0, 0.0),
        (-1, 0.0),
        (float("-inf"), 0.0),
        (Fraction(1, 2), 0.5),
        (Decimal("0.1"), 0.1),
        (timedelta(minutes=2), 120.0),
        (timedelta(seconds=-1), 0.0),
        (timedelta(days=7), 604800.0),
    ],
)
def test_retry_takes_numbers_and_timedeltas(after: Any, seconds: float) -> None:
    """Seconds of every kind of number; a negative one counts as 0."""
    assert Retry(after=after).after == seconds


@pytest.mark.parametrize(
    "after",
    [
        float("inf"),
        float("nan"),
        1e300,
        10**400,
        604801,
        timedelta.max,
        Decimal("Infinity"),
        Decimal("NaN"),
        Decimal("sNaN"),
        None,
        "0.1",
        b"1",
        [1],
        datetime.now(UTC),
    ],
    ids=lambda after: repr(after)[:20],
)
def test_retry_refuses_what_would_park_a_dialog(after: Any) -> None:
    """Infinity, NaN, more than 7 days, and what is not a number: an error that names `after`."""
    with pytest.raises((TypeError, ValueError), match=r"Retry needs .* in `after`, got "):
        Retry(after=after)


def test_one_except_catches_them_all() -> None:
    """Every error of vertexkit is a VertexkitError."""
    assert all(issubclass(kind, VertexkitError) for kind in CLASSES.values())


@pytest.mark.parametrize(
    "error",
    [
        Retry(after=5, reason="later"),
        BlockFailed("code", "message", {"a": 1}),
        CallError(400, "malformed", "It is."),
        RateLimited("POST", "/x", status=429, retry_after=3.0, body="slow"),
        ServerError("POST", "/x", status=503, retry_after=3.0),
        QueueFull("10 wait"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_copied_and_pickled(error: VertexkitError) -> None:
    """A copied or pickled error has the same text and attributes."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
