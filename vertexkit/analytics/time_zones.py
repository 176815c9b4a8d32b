"""Time zones by their names or by their offsets from UTC."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

UTC_NAMES = ("UTC", "GMT", "Z")
UTC_OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d?)(?::?([0-5]\d))?")


def time_zone(name: str) -> tzinfo:
    """Return a time zone.

    Args:
        name: a name (`Europe/Moscow`) or an offset from UTC (`UTC+3`, `+05:30`).

    Raises:
        ValueError: the time zone is unknown.
    """
    if name.upper() in UTC_NAMES:  # needs no database
        return UTC
    offset = UTC_OFFSET.fullmatch(name)
    try:
        if offset is None:
            return ZoneInfo(name)
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0)))
    except (LookupError, ValueError, OSError):
        raise ValueError(_explain_zone(name)) from None


def _explain_zone(name: str) -> str:
    if not available_timezones():
        return (
            f"the time zone {name!r} cannot be looked up, because this machine has no time zone "
            "database. Run: pip install tzdata; or use an offset such as UTC+3"
        )
    return (
        f"unknown time zone {name!r}. Use a name such as Europe/Moscow or an offset such as UTC+3"
    )
