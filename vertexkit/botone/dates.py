"""Dates and times as the platform's filters expect them."""

from datetime import date, datetime

DateLike = date | datetime | str
"""A date, a `datetime` with a time zone, or the ISO 8601 text of either."""


def to_iso8601(name: str, value: DateLike) -> str:
    """Format a date or a time as ISO 8601.

    Args:
        name: the filter's name, for the error.
        value: the platform reads a date as the whole day.

    Raises:
        ValueError: the text is not ISO 8601, the `datetime` has no time zone, or the value is
            neither a date nor a time.
    """
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"{name} must be a date or a date with a time, for example 2023-05-01 or "
                f"2023-05-01T10:00:00+03:00, got {value!r}"
            ) from None
        return value
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
