"""Moments, as the platform's filters take them."""

from datetime import date, datetime

Moment = date | datetime | str
"""A day, an aware moment, or an ISO 8601 text of either."""


def written(name: str, moment: Moment) -> str:
    """The moment as ISO 8601.

    Args:
        name: of the filter, for the error.
        moment: a date stands for the whole day, as the platform reads it.

    Raises:
        ValueError: a text that is no moment, or a `datetime` without a time zone.
    """
    if isinstance(moment, str):
        try:
            datetime.fromisoformat(moment)
        except ValueError:
            raise ValueError(
                f"{name}: {moment!r} is neither a date nor a date with a time; write 2023-05-01 or "
                "2023-05-01T10:00:00+03:00"
            ) from None
        return moment
    if isinstance(moment, datetime):
        if moment.utcoffset() is None:
            raise ValueError(
                f"{name}: {moment.isoformat()} has no time zone, so nobody can tell which moment "
                "it is. Give it one, as in datetime(..., tzinfo=UTC) or moment.astimezone(), or "
                "give a date"
            )
        return moment.isoformat()
    if isinstance(moment, date):
        return moment.isoformat()
    raise ValueError(f"{name}: {type(moment).__name__} is no moment; give a date or a datetime")
