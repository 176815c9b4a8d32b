"""Counts the times of dialogs by hour, day, weekday and month, with bounded memory."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

MAX_DAYS = 4000
"""Different days that are counted: eleven years."""
MAX_HOURS = 24 * MAX_DAYS
"""Different hours of different days, once there are more days."""


@dataclass(frozen=True, slots=True)
class TimeStatistics:
    """The result; see the same fields of `Report`."""

    first: datetime | None
    last: datetime | None
    hours: tuple[tuple[int, ...], ...]
    month_days: tuple[int, ...]
    days: tuple[tuple[str, int], ...] | None
    months: tuple[tuple[str, int], ...]


class TimeCounter:
    """Counts times.

    Args:
        zone: the time zone of hours, days and months.

    Attributes:
        undated: how often there was no time.
    """

    def __init__(self, zone: tzinfo) -> None:
        self.undated: int = 0
        self._zone = zone
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._by_hour: dict[int, int] = {}
        """Counts by hour, counted from the first hour of year 0 of this calendar."""
        self._days: set[int] | None = set()
        """The days of those hours; None once there were too many."""
        self._hours = [0] * (7 * 24)
        self._month_days = [0] * 31
        self._months: Counter[str] = Counter()
        """These three count what is no longer in `_by_hour`."""

    def add(self, time: datetime | None) -> datetime | None:
        """Count a time; return it in the time zone, or None if it is unknown."""
        if time is None:
            self.undated += 1
            return None
        try:
            # In UTC because at the end of summer time a local hour occurs twice, and because times
            # of different time zones are compared ten times as slowly.
            moment = time.astimezone(UTC)
            local = moment if self._zone is UTC else moment.astimezone(self._zone)
        except (OverflowError, ValueError):  # year 1 or 9999 in another time zone
            self.undated += 1
            return None
        if self._first is None or moment < self._first:
            self._first = moment
        if self._last is None or moment > self._last:
            self._last = moment
        hour = 24 * local.toordinal() + local.hour
        count = self._by_hour.get(hour, 0)
        if not count:
            self._begin_hour(hour)
        self._by_hour[hour] = count + 1
        return local

    def _begin_hour(self, hour: int) -> None:
        if self._days is not None:
            self._days.add(hour // 24)
            if len(self._days) > MAX_DAYS:
                self._days = None
        if self._days is None and len(self._by_hour) >= MAX_HOURS:
            self._fold()

    def _fold(self) -> None:
        """Move the counts to those that do not know the year."""
        self._hours, self._month_days, self._months = self._folded()
        self._by_hour.clear()

    def _folded(self) -> tuple[list[int], list[int], Counter[str]]:
        hours, month_days = self._hours.copy(), self._month_days.copy()
        months = self._months.copy()
        for day, count in self._by_day().items():
            name = date.fromordinal(day).isoformat()
            month_days[int(name[8:]) - 1] += count
            months[name[:7]] += count
        for hour, count in self._by_hour.items():
            day, clock = divmod(hour, 24)
            hours[24 * ((day - 1) % 7) + clock] += count
        return hours, month_days, months

    def _by_day(self) -> dict[int, int]:
        days: dict[int, int] = {}
        for hour, count in self._by_hour.items():
            day = hour // 24
            days[day] = days.get(day, 0) + count
        return days

    def statistics(self) -> TimeStatistics:
        """Return the result."""
        hours, month_days, months = self._folded()
        days = None
        if self._days is not None:
            counts = sorted(self._by_day().items())
            days = tuple((date.fromordinal(day).isoformat(), count) for day, count in counts)
        return TimeStatistics(
            None if self._first is None else self._first.astimezone(self._zone),
            None if self._last is None else self._last.astimezone(self._zone),
            tuple(tuple(hours[24 * day : 24 * day + 24]) for day in range(7)),
            tuple(month_days),
            days,
            tuple(sorted(months.items())),
        )
