"""The report as a page with interactive charts. It needs `pip install 'vertexkit[interactive]'`.

Vega-Altair draws the charts: with figures under the pointer, a menu to save them as images, and its
JavaScript inside the page, so that it works without a network.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from vertexkit.analytics.charts import section
from vertexkit.analytics.localisation import Language, Locale
from vertexkit.analytics.page import PAGE, POLICY, bot_label, cards, footer, subtitle
from vertexkit.analytics.report import BotQuestions, Breakdown, Report
from vertexkit.analytics.style import STYLE
from vertexkit.analytics.time_series import dialogs_over_time
from vertexkit.errors import SettingsError

HEIGHT = 220
"""Pixels of a column chart."""
MAX_BARS = 25
"""Names of a breakdown that are drawn."""
STEP = 22
"""Pixels for a horizontal bar."""
NUMBER_PIXELS = 30
"""Room for the number right of the longest bar."""
LABEL_PIXELS = 200
"""Room for a name left of a chart."""
BLUE, ORANGE, GREY = "#2563eb", "#c2410c", "#475569"
OUTCOME_COLOURS = {
    "completed": "#15803d",
    "in_process": BLUE,
    "operator": "#7c3aed",
    "interrupted": ORANGE,
    "other": "#94a3b8",
    "not_started": "#cbd5e1",
}
SCRIPT_POLICY = f"""{POLICY};
script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"""
"""Vega compiles the expressions of charts, and saves images."""
SCRIPTS = """<script>{library}</script>
<script>
const charts = {charts};
const options = {options};
charts.forEach((chart, number) => vegaEmbed(`#chart-${{number}}`, chart, options));
</script>
"""
CHART_STYLE = """
section.chart{background:#fff;color:#17202a;color-scheme:light}
.vega-embed{width:100%;margin-top:10px;position:relative}.vega-embed svg{max-width:100%}
@media print{.vega-embed svg{height:auto}.vega-embed summary{display:none}
section.chart{break-inside:avoid}.cards .note{break-after:auto}}
"""
"""Charts are light in dark mode, too: as images they are used in documents."""
MENU = {
    "en": {"PNG_ACTION": "Save as PNG", "SVG_ACTION": "Save as SVG"},
    "ru": {"PNG_ACTION": "Сохранить как PNG", "SVG_ACTION": "Сохранить как SVG"},
}
ACTIONS = {"export": True, "source": False, "compiled": False, "editor": False}
"""The menu saves images. Its other actions are for developers, and one opens a site."""
LOG_ERRORS = 1
"""The log level of Vega: it warns of each chart whose height does not follow from its container."""
Rows = list[dict[str, Any]]


def render_interactive(
    report: Report,
    language: Language = "en",
    *,
    title: str | None = None,
    created: datetime | None = None,
) -> str:
    """Render the report as a page with interactive charts.

    Args:
        report: the result of `analyse`.
        language: `en` or `ru`.
        title: the page's title; "Dialogs" by default.
        created: the time in the page's footer; the current time by default.

    Returns:
        The page, about 1 MB.

    Raises:
        SettingsError: Vega-Altair or its package for pages without a network is not installed.
    """
    try:
        import altair as alt
        import vl_convert
    except ImportError:
        raise SettingsError(
            "interactive charts need other packages. Run: pip install 'vertexkit[interactive]'"
        ) from None
    locale = Locale(language)
    created = created or datetime.now(report.last.tzinfo if report.last is not None else UTC)
    charts = list(_Charts(alt, report, locale, created).all()) if report.dialogs else []
    sections = [
        section(heading, f'<div id="chart-{number}"></div>', kind="chart")
        for number, (heading, _) in enumerate(charts)
    ]
    options = {
        "renderer": "svg",
        "logLevel": LOG_ERRORS,
        "actions": ACTIONS,
        "i18n": MENU[language],
    }
    version = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    scripts = SCRIPTS.format(
        # The stub says that a snippet is required; without one the bundle defines the globals.
        library=vl_convert.javascript_bundle(vl_version=version),  # pyrefly: ignore[missing-argument]
        charts=_script_value([_configured(chart).to_dict() for _, chart in charts]),
        options=_script_value(options),
    )
    return PAGE.format(
        language=language,
        policy=SCRIPT_POLICY,
        title=escape(title or locale.text("title")),
        style=STYLE + CHART_STYLE,
        subtitle=subtitle(report, locale),
        content=f'{cards(report, locale)}<div class="grid">{"".join(sections)}</div>',
        footer=footer(report, locale, created),
        scripts=scripts,
    )


def _configured(chart: Any) -> Any:
    return (
        chart.properties(autosize={"type": "fit-x", "contains": "padding"})
        .configure(
            font="system-ui, sans-serif",
            background="#fff",
            padding={"left": 0, "top": 5, "right": NUMBER_PIXELS, "bottom": 5},
        )
        .configure_view(stroke=None)
        .configure_axis(labelLimit=LABEL_PIXELS, labelFontSize=12, gridColor="#eef1f5")
        .configure_text(fontSize=12)
    )


def _script_value(value: Any) -> str:
    """Return a value as JavaScript; a `</script>` in a user's text does not end the script."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


class _Charts:
    """The charts of a report."""

    def __init__(self, altair: Any, report: Report, locale: Locale, created: datetime) -> None:
        self._altair = altair
        self._report = report
        self._locale = locale
        self._today = created.date()

    def all(self) -> Iterable[tuple[str, Any]]:
        """Return the charts with their headings, top to bottom."""
        report, text = self._report, self._locale.text
        outcomes = {text(name): getattr(report.completion, name) for name in OUTCOME_COLOURS}
        colours = [OUTCOME_COLOURS[name] for name in OUTCOME_COLOURS if self._has(name)]
        shown = {name: count for name, count in outcomes.items() if count}
        if shown:
            yield text("outcomes"), self._bars(shown, colours)
        series = dialogs_over_time(report, self._locale, self._today)
        if series.columns:
            rows = [
                {"name": one.name, "label": one.label, "n": one.count, "partial": one.is_partial}
                for one in series.columns
            ]
            yield text(series.heading), self._columns(rows)
            yield text("week"), self._heat_map()
        for key, breakdown in (
            ("bots", report.bots),
            ("sources", report.sources),
            ("cities", report.cities),
        ):
            if breakdown.items:
                yield text(key), self._breakdown(key, breakdown)
        bins = report.durations.bins
        used = [index for index, item in enumerate(bins) if item.count]
        if used:
            between = bins[used[0] : used[-1] + 1]
            label = self._locale.duration_bin
            counts = {label(item.low, item.high): item.count for item in between}
            yield text("durations"), self._bars(counts)
        for group in report.by_bot:
            if group.questions:
                yield self._funnel_heading(group), self._funnel(group)

    def _has(self, outcome: str) -> bool:
        return bool(getattr(self._report.completion, outcome))

    def _count_axis(self, channel: Any, column: str = "n:Q") -> Any:
        """Return an axis of whole numbers."""
        return channel(column, title=None, axis={"format": ",d", "tickMinStep": 1})

    def _chart(self, rows: Rows, **size: Any) -> Any:
        data = self._altair.Data(values=rows)
        return self._altair.Chart(data, width="container", **size)

    def _with_numbers(self, bars: Any) -> Any:
        """Add the number at the end of each bar."""
        numbers = bars.mark_text(align="left", dx=4, color=GREY)
        text = self._altair.Text("n:Q", format=",d")
        return self._altair.layer(bars, numbers.encode(text=text, color=self._altair.value(GREY)))

    def _bars(self, counts: Mapping[str, int], colours: list[str] | None = None) -> Any:
        rows = [{"name": name, "n": count} for name, count in counts.items()]
        chart = self._chart(rows, height={"step": STEP}).mark_bar(color=BLUE)
        bars = chart.encode(
            x=self._count_axis(self._altair.X),
            y=self._altair.Y("name:N", sort=None, title=None),
            tooltip=[self._tip("name:N", "name"), self._tip("n:Q", "dialogs")],
        )
        if colours is not None:
            scale = {"domain": list(counts), "range": colours}
            bars = bars.encode(color=self._altair.Color("name:N", scale=scale, legend=None))
        return self._with_numbers(bars)

    def _columns(self, rows: Rows) -> Any:
        chart = self._chart(rows, height=HEIGHT).mark_bar(color=BLUE)
        return chart.encode(
            x=self._altair.X("label:N", sort=None, title=None, axis={"labelOverlap": True}),
            y=self._count_axis(self._altair.Y),
            opacity=self._altair.condition(
                "datum.partial", self._altair.value(0.45), self._altair.value(1)
            ),
            tooltip=[self._tip("name:N", "name"), self._tip("n:Q", "dialogs")],
        )

    def _heat_map(self) -> Any:
        rows = [
            {"day": self._locale.weekday(day), "hour": f"{hour:02}", "n": count}
            for day, counts in enumerate(self._report.hours)
            for hour, count in enumerate(counts)
        ]
        chart = self._chart(rows, height={"step": STEP}).mark_rect()
        return chart.encode(
            x=self._altair.X("hour:O", title=None, axis={"labelAngle": 0, "labelOverlap": True}),
            y=self._altair.Y("day:N", sort=None, title=None),
            color=self._altair.Color(
                "n:Q",
                title=None,
                scale={"scheme": "blues"},
                legend={"format": ",d", "tickMinStep": 1},
            ),
            tooltip=[
                self._tip("day:N", "weekday"),
                self._tip("hour:O", "hour"),
                self._tip("n:Q", "dialogs"),
            ],
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
        chart = self._chart(rows, height={"step": STEP}).mark_bar()
        rate = self._altair.Color(
            "rate:Q",
            title=locale.text("completion_rate"),
            scale={"scheme": "redyellowgreen", "domain": [0, 1]},
            legend={"format": ".0%", "offset": 36},
        )
        bars = chart.encode(
            x=self._count_axis(self._altair.X),
            y=self._altair.Y("name:N", sort=None, title=None),
            color=rate,
            tooltip=[
                self._tip("name:N", "name"),
                self._tip("n:Q", "dialogs"),
                self._tip("rate:Q", "completion_rate", format=".1%"),
            ],
        )
        return self._with_numbers(bars)

    def _funnel_heading(self, group: BotQuestions) -> str:
        if group.bot is None:
            return self._locale.text("funnel")
        bot = bot_label(group.bot, self._report, self._locale)
        return self._locale.text("funnel_of", bot=bot)

    def _funnel(self, group: BotQuestions) -> Any:
        rows = [
            {
                "name": f"{number}. {item.text}",
                "n": item.reached,
                "stopped": item.stopped,
                "went_on": item.reached - item.stopped,
            }
            for number, item in enumerate(group.questions, 1)
        ]
        chart = self._chart(rows, height={"step": STEP})
        axis = self._altair.Y("name:N", sort=None, title=None)
        tips = [
            self._tip("name:N", "name"),
            self._tip("n:Q", "reached_count"),
            self._tip("stopped:Q", "stopped_count"),
        ]
        reached = chart.mark_bar(color=BLUE).encode(
            x=self._count_axis(self._altair.X), y=axis, tooltip=tips
        )
        stopped = chart.mark_bar(color=ORANGE).encode(
            x=self._count_axis(self._altair.X, "went_on:Q"), x2="n:Q", y=axis, tooltip=tips
        )
        numbers = reached.mark_text(align="left", dx=4, color=GREY)
        text = self._altair.Text("n:Q", format=",d")
        return self._altair.layer(reached, stopped, numbers.encode(text=text))

    def _tip(self, column: str, key: str, **options: Any) -> Any:
        return self._altair.Tooltip(column, title=self._locale.text(key), **options)
