"""Dates and times as the platform's filters expect them."""

import re
from datetime import date, datetime

DateLike = date | datetime | str
"""A date, a `datetime` with a time zone, or the ISO 8601 text of either."""
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
"""Other forms of ISO 8601, as 20230501 or 2023-W18-1, are valid, and not every server reads them."""
EXAMPLES = "for example 2023-05-01 or 2023-05-01T10:00:00+03:00"


def to_iso8601(name: str, value: DateLike) -> str:
    """Format a date or a time as ISO 8601.

    Args:
        name: the filter's name, for the error.
        value: the platform reads a date as the whole day.

    Raises:
        ValueError: the text is not ISO 8601, the time has no time zone, or the value is neither a
            date nor a time.
    """
    if isinstance(value, str):
        return _checked_text(name, value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError(
                f"{name} must have a time zone, got {value.isoformat()}. Add one, as in "
                "datetime(..., tzinfo=UTC) or value.astimezone(), or pass a date"
            )
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise ValueError(f"{name} must be a date, a datetime or a text, got {type(value).__name__}")


def check_period(name: str, start: str | None, end: str | None) -> None:
    """Check that a period does not end before it begins.

    Args:
        name: `created` or `updated`.
        start: the formatted start; None if it is open.
        end: the formatted end; None if it is open.

    Raises:
        ValueError: it does.
    """
    if start is None or end is None:
        return
    if DATE.fullmatch(start) or DATE.fullmatch(end):  # a date alone has no time zone
        is_reversed = start[:10] > end[:10]
    else:
        is_reversed = datetime.fromisoformat(start) > datetime.fromisoformat(end)
    if is_reversed:
        raise ValueError(f"the period of {name}_from ends before it begins, got {start} and {end}")


def _checked_text(name: str, value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or not DATE.match(value) or (not DATE.fullmatch(value) and len(value) < 16):
        raise ValueError(f"{name} must be a date or a date with a time, {EXAMPLES}, got {value!r}")
    if moment.tzinfo is None and not DATE.fullmatch(value):
        raise ValueError(
            f"{name} must have a time zone, {EXAMPLES}, got {value!r}: without one, the time would "
            "mean another moment on every machine"
        )
    return value
