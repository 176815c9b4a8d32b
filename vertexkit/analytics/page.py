"""The report as one page: no script, no network, nothing beside it."""

from datetime import UTC, datetime
from html import escape

from vertexkit.analytics.charts import answers, bars, columns, durations, endings, headed, heat, way
from vertexkit.analytics.periods import Column, periods
from vertexkit.analytics.report import Breakdown, Report
from vertexkit.analytics.style import STYLE
from vertexkit.analytics.words import Language, Words

PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<header><h1>{title}</h1><p class="sub">{subtitle}</p></header>
{content}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def render_html(
    report: Report,
    language: Language = "en",
    *,
    title: str | None = None,
    made: datetime | None = None,
) -> str:
    """The report as a page of HTML that holds all it needs.

    Args:
        report: of `analyse`.
        language: "en" or "ru".
        title: of the page; by default "Dialogs".
        made: when, for the foot of the page; now by default.
    """
    words = Words(language)
    made = made or datetime.now(report.last.tzinfo if report.last is not None else UTC)
    return PAGE.format(
        language=language,
        title=escape(title or words.say("title")),
        style=STYLE,
        subtitle=_subtitle(report, words),
        content=_content(report, words) if report.dialogs else _nothing(words),
        footer=_footer(report, words, made),
    )


def _subtitle(report: Report, words: Words) -> str:
    parts = []
    if report.first is not None and report.last is not None:
        first, last = (words.day(each.date().isoformat()) for each in (report.first, report.last))
        parts.append(first if first == last else f"{first} — {last}")
    parts.append(words.say("zone", zone=report.zone))
    return escape(" · ".join(parts))


def _footer(report: Report, words: Words, made: datetime) -> str:
    lines = [words.say("how")]
    if report.undated:
        lines.append(words.say("undated", n=words.number(report.undated)))
    if report.dialogs and not report.detailed:
        lines.append(words.say("undetailed"))
    lines.append(words.say("made", when=words.moment(made)) + ". vertexkit")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _nothing(words: Words) -> str:
    said = f'<h2>{words.say("empty")}</h2><p class="note">{words.say("empty_note")}</p>'
    return f'<div class="grid"><section>{said}</section></div>'


def _content(report: Report, words: Words) -> str:
    parts = [
        _cards(report, words),
        '<div class="grid">',
        headed(words.say("endings"), endings(report.completion, words)),
        _time(report, words),
        _week(report, words),
        '</div><div class="pair">',
        *_shares(report, words),
        '</div><div class="grid">',
    ]
    if report.first is not None:
        days = [Column(str(d), str(d), n) for d, n in enumerate(report.month_days, 1)]
        parts.append(headed(words.say("month_days"), columns(days, words)))
    if report.questions:
        parts.append(headed(words.say("way"), way(report, words), note=words.say("way_note")))
        parts.append(headed(words.say("questions"), answers(report, words), kind="long"))
    return "\n".join([*parts, "</div>"])


def _cards(report: Report, words: Words) -> str:
    ends, spans = report.completion, report.durations
    share = "—" if ends.of_started is None else words.percent(ends.of_started)
    ratio = "—" if ends.to_interrupted is None else words.number(ends.to_interrupted, 1)
    done, cut = words.number(ends.completed), words.number(ends.interrupted)
    p90 = "" if spans.p90 is None else words.say("median_note", p90=words.duration(spans.p90))
    cards = [
        ("all", words.number(report.dialogs), _subtitle(report, words).partition(" · ")[0]),
        ("completed_share", share, words.say("of_started", n=words.number(ends.started))),
        ("ratio", ratio, words.say("ratio_note", a=done, b=cut)),
        ("median", words.duration(spans.median), p90),
    ]
    if report.first is None:
        cards[0] = (*cards[0][:2], "")
    shown = (
        f'<section><p class="note">{words.say(name)}</p><p class="big">{big}</p>'
        f'<p class="note">{note}</p></section>'
        for name, big, note in cards
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def _time(report: Report, words: Words) -> str:
    spread = periods(report, words)
    if not spread.columns:
        return headed(words.say("by_month"), "", note=words.say("no_dates"))
    return headed(words.say(spread.heading), columns(spread.columns, words))


def _week(report: Report, words: Words) -> str:
    if report.first is None:
        return ""
    most = max(max(day) for day in report.hours)
    day, hour = next(
        (d, h) for d, day in enumerate(report.hours) for h, count in enumerate(day) if count == most
    )
    peak = words.say("peak", day=words.weekday(day), hour=f"{hour:02}:00–{(hour + 1) % 24:02}:00")
    return headed(words.say("week"), heat(report.hours, words), note=peak)


def _shares(report: Report, words: Words) -> list[str]:
    """What fits side by side. Raw statuses say more than the endings only if one is unknown."""
    statuses = report.statuses if report.completion.other else Breakdown()
    wanted = {
        "cities": report.cities,
        "sources": report.sources,
        "bots": report.bots,
        "statuses": statuses,
    }
    shown = [headed(words.say(n), bars(each, words)) for n, each in wanted.items() if each.total]
    spread = durations(report, words)
    return [*shown, headed(words.say("durations"), spread, note=_durations_note(report, words))]


def _durations_note(report: Report, words: Words) -> str:
    spans = report.durations
    if not spans.count:
        return words.say("no_durations")
    note = words.say(
        "durations_note",
        mean=words.duration(spans.mean),
        median=words.duration(spans.median),
        longest=words.duration(spans.longest),
    )
    if report.completed_durations.count:
        median = words.duration(report.completed_durations.median)
        note += "; " + words.say("of_completed", median=median)
    return note
