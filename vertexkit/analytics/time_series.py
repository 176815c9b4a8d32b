"""The number of dialogs over time: by day, month or year, depending on the length of the period."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from vertexkit.analytics.localisation import Locale
from vertexkit.analytics.report import Report

MAX_DAYS, MAX_MONTHS, MAX_YEARS = 45, 36, 40
"""Columns of a chart that can still be told apart."""


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """One column of a chart, for a period or another category."""

    label: str
    """A short text below the column."""
    name: str
    """The full text, shown when the pointer is over the column."""
    count: int
    """The column's height."""


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Consecutive periods, those without dialogs included."""

    heading: str
    """The key of the heading: `by_day`, `by_month` or `by_year`."""
    columns: tuple[ChartColumn, ...]
    """The periods."""


def dialogs_over_time(report: Report, locale: Locale) -> TimeSeries:
    """Count by day if the period is short, else by month, else by year (the last years).

    Args:
        report: the report.
        locale: the language of the labels.
    """
    if not report.months:
        return TimeSeries("by_month", ())
    if report.days and (days := _days(report.days, locale)):
        return TimeSeries("by_day", days)
    if months := _months(report.months, locale):
        return TimeSeries("by_month", months)
    years: Counter[str] = Counter()
    for month, count in report.months:
        years[month[:4]] += count
    last_years = sorted(years.items())[-MAX_YEARS:]
    return TimeSeries("by_year", tuple(ChartColumn(year, year, n) for year, n in last_years))


def _days(counted: tuple[tuple[str, int], ...], locale: Locale) -> tuple[ChartColumn, ...]:
    first, last = date.fromisoformat(counted[0][0]), date.fromisoformat(counted[-1][0])
    length = (last - first).days + 1
    if length > MAX_DAYS:
        return ()
    counts = dict(counted)
    names = [(first + timedelta(number)).isoformat() for number in range(length)]
    return tuple(
        ChartColumn(f"{int(name[8:])}.{name[5:7]}", locale.day(name), counts.get(name, 0))
        for name in names
    )


def _months(counted: tuple[tuple[str, int], ...], locale: Locale) -> tuple[ChartColumn, ...]:
    first, last = (12 * int(name[:4]) + int(name[5:]) - 1 for name, _ in (counted[0], counted[-1]))
    if last - first + 1 > MAX_MONTHS:
        return ()
    counts = dict(counted)
    names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    return tuple(
        ChartColumn(f"{name[5:]}.{name[2:4]}", locale.month(name), counts.get(name, 0))
        for name in names
    )
