"""A report against the one of the period before."""

from vertexkit.analytics.localisation import Locale
from vertexkit.analytics.report import Report


def period_text(report: Report, locale: Locale) -> str:
    """Return the days of the filters, or else those of the first and the last dialog."""
    selection = report.selection
    days = [selection.start, selection.end]
    if days == [None, None] or None in days:
        if report.first is None or report.last is None:
            return ""
        days = [days[0] or report.first.date(), days[1] or report.last.date()]
    texts = (locale.day(day.isoformat()) for day in days if day is not None)
    return " — ".join(dict.fromkeys(texts))


def changes(report: Report, locale: Locale) -> dict[str, str]:
    """Return the change of each headline figure; empty if there is nothing to compare with."""
    before = report.previous
    if before is None:
        return {}
    found = {"all_dialogs": locale.change(report.dialogs, before.dialogs)}
    rate, rate_before = report.completion.rate, before.completion.rate
    if rate is not None and rate_before is not None:
        points = round(100 * (rate - rate_before), 1)
        found["completion_rate"] = (
            locale.text("percentage_points", n=locale.signed(points, 1))
            if points
            else locale.text("no_change")
        )
    ratio, ratio_before = report.completion.per_interrupted, before.completion.per_interrupted
    if ratio is not None and ratio_before is not None:
        found["per_interrupted"] = locale.change(ratio, ratio_before)
    median = report.completed_durations.median
    median_before = before.completed_durations.median
    if median is not None and median_before is not None:
        found["median"] = locale.change(median, median_before)
    return found


def comparison_text(report: Report, locale: Locale) -> str:
    """Return what the report is compared with; empty if it is not compared."""
    if report.previous is None:
        return ""
    return locale.text("compared", period=period_text(report.previous, locale))
