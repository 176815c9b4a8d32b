"""The number of dialogs over time: by day, week, month or year, depending on the period's length."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from vertexkit.analytics.localisation import Locale
from vertexkit.analytics.report import Report

MAX_DAYS, MAX_WEEKS, MAX_MONTHS, MAX_YEARS = 45, 53, 36, 40
"""Columns of a chart that can still be told apart."""
OUTLIER_SHARE = 0.005
"""The part of the dialogs at each end of the period that may be left out of the chart."""
OUTLIER_SHORTENING = 3
"""They are left out if the chart becomes this many times shorter."""


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """One column of a chart, for a period or another category."""

    label: str
    """A short text below the column."""
    name: str
    """The full text, shown when the pointer is over the column."""
    count: int
    """The column's height."""
    is_partial: bool = False
    """Only a part of the period is in the report."""


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Consecutive periods, those without dialogs included."""

    heading: str
    """The key of the heading: `by_day`, `by_week`, `by_month` or `by_year`."""
    columns: tuple[ChartColumn, ...]
    """The periods."""
    outside: int = 0
    """Dialogs far before or after the others, which are not in the chart."""


def dialogs_over_time(report: Report, locale: Locale, today: date | None = None) -> TimeSeries:
    """Count by day if the period is short, else by week, by month or by year.

    Args:
        report: the report.
        locale: the language of the labels.
        today: the day of the report: the period that contains it is partial. By default none is.
    """
    if not report.months:
        return TimeSeries("by_month", ())
    counts = _count_by_day(report)
    first, last = _span(counts)
    outside = sum(count for day, count in counts.items() if not first <= day <= last)
    selection = report.selection
    start, end = selection.start or date.min, min(selection.end or date.max, today or date.max)
    length = (last - first).days + 1
    exact = report.days is not None
    if exact and length <= MAX_DAYS:
        heading, periods = "by_day", _days(first, last, locale)
    elif exact and length <= 7 * MAX_WEEKS - 7:
        heading, periods = "by_week", _weeks(first, last, locale)
    elif length <= 30 * MAX_MONTHS:
        heading, periods = "by_month", _months(first, last, locale)
    else:
        heading, periods = "by_year", _years(first, last)
    columns = tuple(
        ChartColumn(
            period.label,
            period.name,
            sum(counts.get(period.first + timedelta(n), 0) for n in range(period.days)),
            is_partial=heading != "by_day" and (period.first < start or period.last > end),
        )
        for period in periods
    )
    return TimeSeries(heading, columns, outside)


@dataclass(frozen=True, slots=True)
class _Period:
    first: date
    last: date
    label: str
    name: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def _count_by_day(report: Report) -> Mapping[date, int]:
    """Return the dialogs by day; by the first day of the month if the days are unknown."""
    named = report.days if report.days is not None else [(f"{m}-01", n) for m, n in report.months]
    return Counter({date.fromisoformat(name): count for name, count in named})


def _span(counts: Mapping[date, int]) -> tuple[date, date]:
    """Return the first and the last day of the chart: without a few dialogs far from the others."""
    days = sorted(counts)
    allowed = int(OUTLIER_SHARE * sum(counts.values()))
    start, end = _skip_few(days, counts, allowed), -1 - _skip_few(days[::-1], counts, allowed)
    length = (days[-1] - days[0]).days
    for first, last in ((days[0], days[end]), (days[start], days[-1]), (days[start], days[end])):
        if 0 <= (last - first).days * OUTLIER_SHORTENING < length:
            return first, last
    return days[0], days[-1]


def _skip_few(days: list[date], counts: Mapping[date, int], allowed: int) -> int:
    """Return how many of the first days have no more than this number of dialogs together."""
    skipped = 0
    while skipped < len(days) - 1 and counts[days[skipped]] <= allowed:
        allowed -= counts[days[skipped]]
        skipped += 1
    return skipped


def _days(first: date, last: date, locale: Locale) -> list[_Period]:
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    return [_Period(day, day, f"{day.day}.{day:%m}", locale.day(day.isoformat())) for day in days]


def _weeks(first: date, last: date, locale: Locale) -> list[_Period]:
    periods = []
    monday = first - timedelta(first.weekday())
    while monday <= last:
        sunday = monday + timedelta(6)
        name = f"{locale.day(monday.isoformat())} — {locale.day(sunday.isoformat())}"
        periods.append(_Period(monday, sunday, f"{monday.day}.{monday:%m}", name))
        monday = sunday + timedelta(1)
    return periods


def _months(first: date, last: date, locale: Locale) -> list[_Period]:
    periods = []
    month = first.replace(day=1)
    while month <= last:
        following = (month + timedelta(31)).replace(day=1)
        label = f"{month:%m}.{month:%y}"
        periods.append(
            _Period(month, following - timedelta(1), label, locale.month(month.isoformat()[:7]))
        )
        month = following
    return periods


def _years(first: date, last: date) -> list[_Period]:
    return [
        _Period(date(year, 1, 1), date(year, 12, 31), str(year), str(year))
        for year in range(max(first.year, last.year - MAX_YEARS + 1), last.year + 1)
    ]
