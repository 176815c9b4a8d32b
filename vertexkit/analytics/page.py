"""The report as one HTML page: no scripts, no network, no other files."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import escape

from vertexkit.analytics.charts import (
    bars,
    columns,
    durations,
    funnel,
    heat_map,
    outcomes,
    questions,
    rates,
    section,
)
from vertexkit.analytics.comparison import changes, comparison_text, period_text
from vertexkit.analytics.localisation import Language, Locale
from vertexkit.analytics.report import BotQuestions, Breakdown, Report
from vertexkit.analytics.style import STYLE
from vertexkit.analytics.time_series import ChartColumn, dialogs_over_time

DAY, MONTH = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d{4}-\d\d")
"""The forms of the ends of a filter that are written as dates of the language."""
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p class="sub">{subtitle}</p></header>
{content}
<footer>{footer}</footer>
</main>
{scripts}</body>
</html>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a page may load: nothing but its own style."""


def render_html(
    report: Report,
    language: Language = "en",
    *,
    title: str | None = None,
    created: datetime | None = None,
) -> str:
    """Render the report as an HTML page that contains everything it needs.

    Args:
        report: the result of `analyse`.
        language: `en` or `ru`.
        title: the page's title; "Dialogs" by default.
        created: the time in the page's footer; the current time by default.

    Returns:
        The page.
    """
    locale = Locale(language)
    created = created or datetime.now(report.last.tzinfo if report.last is not None else UTC)
    return PAGE.format(
        language=language,
        title=escape(title or locale.text("title")),
        policy=POLICY,
        style=STYLE,
        subtitle=subtitle(report, locale),
        content=_content(report, locale, created) if report.dialogs else _empty(locale),
        footer=footer(report, locale, created),
        scripts="",
    )


def subtitle(report: Report, locale: Locale) -> str:
    """Return what is below the title: the filters, the time zone, what the report is compared with."""
    period = "" if _names_period(report) else period_text(report, locale)
    parts = [period, *filter_texts(report, locale), locale.text("zone", zone=report.zone)]
    parts.append(comparison_text(report, locale))
    return escape(" · ".join(part for part in parts if part))


def _names_period(report: Report) -> bool:
    """Whether the filters name the whole period, which then is not repeated."""
    selection = report.selection
    return selection.start is not None and selection.end is not None


def filter_texts(report: Report, locale: Locale) -> list[str]:
    """Return a text for each filter of the report, with the names of bots and with readable dates."""
    selection = report.selection
    found: dict[str, list[str]] = {}
    for name, value in selection.filters:
        shown = selection.bot_name(value) if name == "bot" else value
        if name in ("created", "updated"):
            shown = _days(value, locale)
        found.setdefault(name, []).append(shown)
    return [
        f"{locale.text(f'filter_{name}')}: {', '.join(values)}" for name, values in found.items()
    ]


def _days(text: str, locale: Locale) -> str:
    """Return a filter's range of days or months in the language; times stay as they are."""
    ends = []
    for end in text.split(".."):
        if DAY.fullmatch(end):
            ends.append(locale.day(end))
        elif MONTH.fullmatch(end):
            ends.append(locale.month(end))
        else:
            ends.append(end)
    return " — ".join(dict.fromkeys(ends)) if all(ends) else " — ".join(end or "…" for end in ends)


def footer(report: Report, locale: Locale, created: datetime) -> str:
    """Return the notes at the end of the page."""
    lines = [locale.text("incomplete", problem=problem) for problem in report.problems]
    lines.append(locale.text("method"))
    if report.unknown_statuses:
        names = ", ".join(f"{item.name} ({item.count})" for item in report.unknown_statuses[:8])
        lines.append(locale.text("unknown_statuses", names=names))
    if report.undated:
        lines.append(locale.text("undated", n=locale.number(report.undated)))
    if report.dialogs and not report.detailed:
        lines.append(locale.text("answers_not_read"))
    lines.append(locale.text("created", when=locale.time(created)) + ". vertexkit")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _empty(locale: Locale) -> str:
    text, note = locale.text("empty"), locale.text("empty_note")
    content = f'<h2>{text}</h2><p class="note">{note}</p>'
    return f'<div class="grid"><section>{content}</section></div>'


def _content(report: Report, locale: Locale, created: datetime) -> str:
    parts = [
        cards(report, locale),
        '<div class="grid">',
        section(locale.text("outcomes"), outcomes(report.completion, locale)),
        _over_time(report, locale, created),
        _week(report, locale),
        "</div>",
        *_breakdowns(report, locale),
        '<div class="grid">',
    ]
    if report.first is not None:
        days = [ChartColumn(str(d), str(d), n) for d, n in enumerate(report.month_days, 1)]
        chart = columns(days, locale, file="days-of-month", every=3)
        parts.append(section(locale.text("month_days"), chart))
    for group in report.by_bot:
        if group.questions or group.stopped_before:
            parts += _questions_of(group, report, locale)
    return "\n".join([*parts, "</div>"])


def _questions_of(group: BotQuestions, report: Report, locale: Locale) -> list[str]:
    """Return the funnel and the answers of one bot."""
    headings = [locale.text("funnel"), locale.text("questions")]
    if group.bot is not None:
        bot = bot_label(group.bot, report, locale)
        headings = [locale.text("funnel_of", bot=bot), locale.text("questions_of", bot=bot)]
    note = locale.text("funnel_note")
    return [
        section(headings[0], funnel(group, locale), kind="long", note=note),
        section(headings[1], questions(group, locale), kind="long"),
    ]


def bot_label(bot: str, report: Report, locale: Locale) -> str:
    """Return the name of a bot, or a text with its id if it has none."""
    name = report.selection.bot_name(bot)
    return name if name != bot else locale.text("bot_number", id=bot)


def cards(report: Report, locale: Locale) -> str:
    """Return the headline figures."""
    completion, times = report.completion, report.completed_durations
    changed = changes(report, locale)
    rate = "—" if completion.rate is None else locale.percent(completion.rate)
    ratio = completion.per_interrupted
    p90 = "" if times.p90 is None else locale.text("median_note", p90=locale.duration(times.p90))
    shown_cards = [
        ("all_dialogs", locale.number(report.dialogs), escape(period_text(report, locale))),
        ("completion_rate", rate, locale.text("started", n=locale.number(completion.started))),
        (
            "per_interrupted",
            "—" if ratio is None else locale.number(ratio, 1),
            locale.text(
                "per_interrupted_note",
                a=locale.number(completion.completed),
                b=locale.number(completion.interrupted),
            ),
        ),
        ("median", locale.duration(times.median), p90),
    ]
    shown = (
        f'<section><p class="note">{locale.text(name)}</p><p class="big">{value}</p>'
        f'<p class="note">{note}</p>{_change(changed.get(name))}</section>'
        for name, value, note in shown_cards
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def _change(text: str | None) -> str:
    return f'<p class="note change">{escape(text)}</p>' if text else ""


def _over_time(report: Report, locale: Locale, created: datetime) -> str:
    series = dialogs_over_time(report, locale, created.date())
    if not series.columns:
        return section(locale.text("by_month"), "", note=locale.text("no_dates"))
    notes = []
    if any(column.is_partial for column in series.columns):
        notes.append(locale.text("partial"))
    if series.outside:
        notes.append(locale.text("outside", n=locale.number(series.outside)))
    chart = columns(series.columns, locale, file=series.heading.replace("_", "-"))
    return section(locale.text(series.heading), chart, note=" ".join(notes))


def _week(report: Report, locale: Locale) -> str:
    if report.first is None:
        return ""
    highest = max(max(counts) for counts in report.hours)
    day, hour = next(
        (day, hour)
        for day, counts in enumerate(report.hours)
        for hour, count in enumerate(counts)
        if count == highest
    )
    interval = f"{hour:02}:00–{(hour + 1) % 24:02}:00"
    peak = locale.text("peak", day=locale.weekday(day), hour=interval)
    return section(locale.text("week"), heat_map(report.hours, locale), note=peak)


def _breakdowns(report: Report, locale: Locale) -> list[str]:
    """Return rows of sections: how many dialogs each name has, next to how many were completed.

    The platform's statuses are shown only if one of them is unknown: else the outcomes are enough.
    """
    bots = replace(
        report.bots,
        items=tuple(
            replace(item, name=bot_label(item.name, report, locale)) for item in report.bots.items
        ),
    )
    breakdowns = {
        "bots": bots,
        "sources": report.sources,
        "cities": report.cities,
        "statuses": report.statuses if report.completion.other else Breakdown(),
    }
    note = _durations_note(report, locale)
    shown = section(locale.text("durations"), durations(report, locale), note=note)
    durations_row = f'<div class="pair">{shown}</div>'
    rows = []
    for name, breakdown in breakdowns.items():
        if not breakdown.total:
            continue
        row = section(locale.text(name), bars(breakdown, locale, file=name))
        if name != "statuses" and len(breakdown.items) > 1:
            heading = locale.text(f"completion_by_{name}")
            row += section(heading, rates(breakdown, locale), note=locale.text("rate_note"))
        rows.append(f'<div class="pair">{row}</div>')
        if name == "sources":  # before the cities, whose rows may need most of a sheet of paper
            rows.append(durations_row)
    if durations_row not in rows:
        rows.append(durations_row)
    return rows


def _durations_note(report: Report, locale: Locale) -> str:
    times = report.durations
    if not times.count:
        return locale.text("no_durations")
    note = locale.text(
        "durations_note",
        mean=locale.duration(times.mean),
        median=locale.duration(times.median),
        longest=locale.duration(times.longest),
    )
    if running := report.completion.in_process:
        note += "; " + locale.text("running_left_out", n=locale.number(running))
    if report.completed_durations.count:
        median = locale.duration(report.completed_durations.median)
        note += "; " + locale.text("completed_median", median=median)
    return note
