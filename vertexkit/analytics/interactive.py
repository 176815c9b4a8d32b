"""The report as a page with interactive charts. It needs `pip install 'vertexkit[interactive]'`.

Vega-Altair draws the charts: with figures under the pointer, a menu to save them as images, and its
JavaScript inside the page, so that it works without a network.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from vertexkit.analytics.comparison import period_text
from vertexkit.analytics.localisation import Language, Locale
from vertexkit.analytics.page import bot_label, filter_texts
from vertexkit.analytics.report import BotQuestions, Breakdown, Report
from vertexkit.analytics.time_series import dialogs_over_time
from vertexkit.errors import SettingsError

WIDTH, HEIGHT = 760, 220
MAX_BARS = 25
"""Names of a breakdown that are drawn."""
STEP = 22
"""Pixels for a horizontal bar."""
SPECIFICATION, SPECIFICATION_END = "const spec = ", ";\n"
"""Around the charts' data in the page of Vega-Altair; JSON has no line break in it."""
Rows = list[dict[str, Any]]


def render_interactive(
    report: Report, language: Language = "en", *, title: str | None = None
) -> str:
    """Render the report as a page with interactive charts.

    Args:
        report: the result of `analyse`.
        language: `en` or `ru`.
        title: the page's title; "Dialogs" by default.

    Returns:
        The page, about 1 MB.

    Raises:
        SettingsError: Vega-Altair is not installed.
    """
    try:
        import altair as alt
    except ImportError:
        raise SettingsError(
            "interactive charts need other packages. Run: pip install 'vertexkit[interactive]'"
        ) from None
    locale = Locale(language)
    text = title or locale.text("title")
    parts = [part for part in (period_text(report, locale), *filter_texts(report, locale)) if part]
    heading = alt.TitleParams(text, subtitle=[" · ".join(parts)], anchor="start", fontSize=22)
    charts = list(_Charts(alt, report, locale).all())
    page: str = (
        alt.vconcat(*charts, spacing=28)
        .resolve_scale(color="independent")
        .properties(title=heading)
        .configure_view(stroke=None)
        .to_html(inline=True, fullhtml=True)
    )
    page = _without_markup_in_data(page)
    page = page.replace("<head>", f"<head>\n  <title>{escape(text)}</title>", 1)
    return page.replace("<html>", f'<html lang="{language}">', 1)


def _without_markup_in_data(page: str) -> str:
    """Return the page with each `<` of the charts' data escaped.

    The data is JavaScript in a `<script>`, which a `</script>` in a user's text would end.
    """
    before, marker, rest = page.rpartition(SPECIFICATION)
    data, end, after = rest.partition(SPECIFICATION_END)
    if not marker or not end:
        raise RuntimeError("this version of Vega-Altair writes its page in another form")
    return f"{before}{marker}{data.replace('<', chr(92) + 'u003c')}{end}{after}"


class _Charts:
    """The charts of a report."""

    def __init__(self, altair: Any, report: Report, locale: Locale) -> None:
        self._altair = altair
        self._report = report
        self._locale = locale

    def all(self) -> Iterable[Any]:
        """Return the charts, top to bottom."""
        report, text = self._report, self._locale.text
        names = ("completed", "in_process", "operator", "interrupted", "other", "not_started")
        outcomes = {text(name): getattr(report.completion, name) for name in names}
        yield self._bars(text("outcomes"), {name: n for name, n in outcomes.items() if n})
        series = dialogs_over_time(report, self._locale)
        if series.columns:
            rows = [
                {"name": one.name, "label": one.label, "n": one.count} for one in series.columns
            ]
            yield self._columns(text(series.heading), rows)
            yield self._heat_map()
        for key, breakdown in (
            ("bots", report.bots),
            ("sources", report.sources),
            ("cities", report.cities),
        ):
            if breakdown.items:
                yield self._breakdown(key, breakdown)
        bins = {
            self._locale.duration_bin(item.low, item.high): item.count
            for item in report.durations.bins
        }
        if bins:
            yield self._bars(text("durations"), bins)
        for group in report.by_bot:
            if group.questions:
                yield self._funnel(group)

    def _chart(self, title: str, rows: Rows, **size: Any) -> Any:
        data = self._altair.Data(values=rows)
        return self._altair.Chart(data, title=title, width=WIDTH, **size)

    def _bars(self, title: str, counts: Mapping[str, int]) -> Any:
        rows = [{"name": name, "n": count} for name, count in counts.items()]
        chart = self._chart(title, rows, height={"step": STEP}).mark_bar(color="#2563eb")
        return chart.encode(
            x=self._altair.X("n:Q", title=None),
            y=self._altair.Y("name:N", sort=None, title=None),
            tooltip=[self._tip("name:N", "name"), self._tip("n:Q", "dialogs")],
        )

    def _columns(self, title: str, rows: Rows) -> Any:
        chart = self._chart(title, rows, height=HEIGHT).mark_bar(color="#2563eb")
        return chart.encode(
            x=self._altair.X("label:N", sort=None, title=None),
            y=self._altair.Y("n:Q", title=None),
            tooltip=[self._tip("name:N", "name"), self._tip("n:Q", "dialogs")],
        )

    def _heat_map(self) -> Any:
        rows = [
            {"day": self._locale.weekday(day), "hour": f"{hour:02}", "n": count}
            for day, counts in enumerate(self._report.hours)
            for hour, count in enumerate(counts)
        ]
        chart = self._chart(self._locale.text("week"), rows, height={"step": STEP}).mark_rect()
        return chart.encode(
            x=self._altair.X("hour:O", title=None),
            y=self._altair.Y("day:N", sort=None, title=None),
            color=self._altair.Color("n:Q", title=None, scale={"scheme": "blues"}),
            tooltip=["day:N", "hour:O", self._tip("n:Q", "dialogs")],
        )

    def _breakdown(self, key: str, breakdown: Breakdown) -> Any:
        report, locale = self._report, self._locale
        rows = [
            {
                "name": bot_label(item.name, report, locale) if key == "bots" else item.name,
                "n": item.count,
                "rate": item.rate,
            }
            for item in breakdown.items[:MAX_BARS]
        ]
        chart = self._chart(locale.text(key), rows, height={"step": STEP}).mark_bar()
        rate = self._altair.Color(
            "rate:Q",
            title=locale.text("completion_rate"),
            scale={"scheme": "redyellowgreen", "domain": [0, 1]},
            legend={"format": ".0%"},
        )
        return chart.encode(
            x=self._altair.X("n:Q", title=None),
            y=self._altair.Y("name:N", sort=None, title=None),
            color=rate,
            tooltip=[
                self._tip("name:N", "name"),
                self._tip("n:Q", "dialogs"),
                self._tip("rate:Q", "completion_rate", format=".1%"),
            ],
        )

    def _funnel(self, group: BotQuestions) -> Any:
        locale = self._locale
        title = locale.text("funnel")
        if group.bot is not None:
            title = locale.text("funnel_of", bot=bot_label(group.bot, self._report, locale))
        rows = [
            {"name": f"{number}. {item.text}", "n": item.reached, "stopped": item.stopped}
            for number, item in enumerate(group.questions, 1)
        ]
        chart = self._chart(title, rows, height={"step": STEP})
        axis = self._altair.Y("name:N", sort=None, title=None, axis={"labelLimit": 280})
        tips = [
            self._tip("name:N", "name"),
            self._tip("n:Q", "reached_count"),
            self._tip("stopped:Q", "stopped_count"),
        ]
        reached = chart.mark_bar(color="#93c5fd").encode(
            x=self._altair.X("n:Q", title=None), y=axis, tooltip=tips
        )
        stopped = chart.mark_bar(color="#c2410c").encode(x="stopped:Q", y=axis, tooltip=tips)
        return self._altair.layer(reached, stopped)

    def _tip(self, column: str, key: str, **options: Any) -> Any:
        return self._altair.Tooltip(column, title=self._locale.text(key), **options)
