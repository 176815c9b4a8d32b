"""How dialogs spread over time: by day, month or year, whatever shows it best."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from vertexkit.analytics.report import Report
from vertexkit.analytics.words import Words

DAYS, MONTHS, YEARS = 45, 36, 40
"""Columns that can still be told apart."""


@dataclass(frozen=True, slots=True)
class Column:
    """One stretch of time, or one stretch of anything."""

    label: str
    """Short, for below the column."""
    name: str
    """Whole, for a person who points at it."""
    count: int


@dataclass(frozen=True, slots=True)
class Periods:
    """Columns without gaps, and by what: "by_day", "by_month" or "by_year"."""

    heading: str
    columns: tuple[Column, ...]


def periods(report: Report, words: Words) -> Periods:
    """Days if they are few, else months, else the last years."""
    if not report.months:
        return Periods("by_month", ())
    if report.days and (days := _days(report.days, words)):
        return Periods("by_day", days)
    if months := _months(report.months, words):
        return Periods("by_month", months)
    years: Counter[str] = Counter()
    for month, count in report.months:
        years[month[:4]] += count
    last = sorted(years.items())[-YEARS:]
    return Periods("by_year", tuple(Column(year, year, count) for year, count in last))


def _days(counted: tuple[tuple[str, int], ...], words: Words) -> tuple[Column, ...]:
    first, last = date.fromisoformat(counted[0][0]), date.fromisoformat(counted[-1][0])
    length = (last - first).days + 1
    if length > DAYS:
        return ()
    counts = dict(counted)
    names = [(first + timedelta(number)).isoformat() for number in range(length)]
    return tuple(
        Column(f"{int(name[8:])}.{name[5:7]}", words.day(name), counts.get(name, 0))
        for name in names
    )


def _months(counted: tuple[tuple[str, int], ...], words: Words) -> tuple[Column, ...]:
    first, last = (12 * int(name[:4]) + int(name[5:]) - 1 for name, _ in (counted[0], counted[-1]))
    if last - first + 1 > MONTHS:
        return ()
    counts = dict(counted)
    names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    return tuple(
        Column(f"{name[5:]}.{name[2:4]}", words.month(name), counts.get(name, 0)) for name in names
    )
