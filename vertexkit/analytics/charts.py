"""The charts of the page, drawn with HTML and CSS alone: a screen reader can read each of them."""

from collections.abc import Iterable, Sequence
from html import escape

from vertexkit.analytics.periods import Column
from vertexkit.analytics.report import Breakdown, Completion, Question, Report
from vertexkit.analytics.words import Words

ROWS, ANSWERS, QUESTIONS, STATIONS = 10, 8, 60, 40
"""Shown of a breakdown, of a question's answers, of the questions, and of the way."""
WARM, HOT = 0.65, 0.8
"""From where on the text of a cell is turned: in the dark, and in the light too."""
FEW = 14
"""Columns that have room for their figure."""
ENDINGS = ("completed", "in_process", "operator", "interrupted", "other", "not_started")


def headed(heading: str, content: str, *, kind: str = "", note: str = "") -> str:
    """A section; of the kind "long" it may go over pages of paper."""
    note = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section class="{kind}"><h2>{escape(heading)}</h2>{note}{content}</section>'


def endings(completion: Completion, words: Words) -> str:
    """One bar of all endings, and what its colours mean."""
    counts = [(name, getattr(completion, name)) for name in ENDINGS]
    total = sum(count for _, count in counts)
    shown = [(name, count) for name, count in counts if count]
    stack = "".join(f'<i class="{name}" style="flex:{count} 0 0"></i>' for name, count in shown)
    legend = "".join(
        f'<li><span class="dot {name}"></span>{words.say(name)} <b>{words.number(count)}</b> '
        f'<span class="sub">{words.percent(count / total)}</span></li>'
        for name, count in shown
    )
    return f'<div class="stack" aria-hidden="true">{stack}</div><ul class="legend">{legend}</ul>'


def bars(shares: Breakdown, words: Words, rows: int = ROWS) -> str:
    """A bar for each of the largest, and one for the rest."""
    shown = shares.items[:rows]
    if len(shares.items) == rows + 1:  # the last one takes no more room than "others"
        shown = shares.items
    rest = shares.total - sum(item.count for item in shown)
    widest = max([item.count for item in shown] + [rest, 1])
    lines = [_bar(item.name, item.count, shares.total, widest, words) for item in shown]
    if rest:
        hidden = len(shares.items) - len(shown)
        name = words.say("others") + (f" ({words.number(hidden)})" if hidden else "")
        lines.append(_bar(name, rest, shares.total, widest, words, rest=True))
    notes = []
    if shares.missing:
        notes.append(f"{words.say('missing')}: {words.number(shares.missing)}")
    if not shares.exact:
        notes.append(words.say("rough"))
    note = f'<p class="note" style="margin-top:10px">{"; ".join(notes)}</p>' if notes else ""
    return f'<ul class="bars">{"".join(lines)}</ul>{note}'


def _bar(
    name: str, count: int, total: int, widest: int, words: Words, *, rest: bool = False
) -> str:
    share = words.percent(count / total)
    bar = f'<i style="width:{100 * count / widest:.2f}%"></i>' if count else ""
    return (
        f'<li{" class=rest" if rest else ""}><span class="name">{escape(name)}</span>'
        f'<span class="count"><b>{words.number(count)}</b> {share}</span>'
        f'<span class="track">{bar}</span></li>'
    )


def columns(shown: Sequence[Column], words: Words) -> str:
    """Columns side by side. Of many, every few have a label, and the highest its figure."""
    most = max(*(column.count for column in shown), 1)
    every = max(1, -(-len(shown) // FEW))
    sparse = max(1, -(-len(shown) // 5))
    lines = []
    for at, column in enumerate(shown):
        label = column.label if at % every == 0 else ""
        top = len(shown) <= FEW or column.count == most
        always = " class=always" if at % sparse == 0 else ""
        figure = words.number(column.count)
        lines.append(
            f'<li title="{escape(column.name)}: {figure}">'
            f'<span class="area"><span class="top">{figure if top and column.count else ""}</span>'
            f'<i class="{"" if column.count else "zero"}"'
            f' style="height:{100 * column.count / most:.2f}%"></i></span>'
            f'<span class="label"><span{always}>{escape(label)}</span></span></li>'
        )
    many = " many" if len(shown) > FEW // 2 else ""
    return f'<ul class="columns{many}">{"".join(lines)}</ul>'


def heat(hours: Sequence[Sequence[int]], words: Words) -> str:
    """A table of weekdays and hours, the busier the stronger."""
    most = max(*map(max, hours), 1)
    head = "".join(
        f'<th class="hour" scope="col"><span{" class=always" if hour % 6 == 0 else ""}>'
        f"{hour:02}</span></th>"
        for hour in range(24)
    )
    rows = []
    for day, counts in enumerate(hours):
        name = words.weekday(day)
        cells = "".join(
            _cell(f"{name} {hour:02}:00", count, most, words) for hour, count in enumerate(counts)
        )
        total = words.number(sum(counts))
        rows.append(
            f'<tr><th class="day" scope="row">{name}</th>{cells}<td class="sum">{total}</td></tr>'
        )
    last = f'<th class="sum" scope="col">{words.say("sum")}</th>'
    return (
        f'<table><thead><tr><th class="day"></th>{head}{last}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(name: str, count: int, most: int, words: Words) -> str:
    if not count:
        return f'<td title="{name}: 0"></td>'
    strength = 0.12 + 0.88 * count / most
    hot = ' class="warm hot"' if strength > HOT else " class=warm" if strength > WARM else ""
    figure = words.number(count)
    shown = figure if count < 1000 else f"{count / 1000:.0f}k"
    style = f"background:rgba(var(--accent),{strength:.2f})"
    return f'<td{hot} title="{name}: {figure}" style="{style}">{shown}</td>'


def durations(report: Report, words: Words) -> str:
    """The distribution of durations."""
    bins = report.durations.bins
    if not bins:
        return ""
    used = [at for at, each in enumerate(bins) if each.count]
    shown = bins[used[0] : used[-1] + 1]
    lines = [
        Column(label, label, each.count)
        for each in shown
        if (label := words.bin(each.low, each.high))
    ]
    return bins_as_bars(lines, words)


def bins_as_bars(lines: Iterable[Column], words: Words) -> str:
    """Bars in the order given: their names are too long for below a column."""
    lines = list(lines)
    total, widest = sum(each.count for each in lines), max(each.count for each in lines)
    shown = "".join(_bar(each.label, each.count, total, widest, words) for each in lines)
    return f'<ul class="bars">{shown}</ul>'


def way(report: Report, words: Words) -> str:
    """Each question by how many reach it, and how many of them stop there."""
    widest = max(*(each.reached for each in report.questions), report.silent, 1)
    lines = []
    if report.silent:
        lines.append(_station(words.say("silent"), 0, report.silent, widest, words))
    lines += [
        _station(each.text, each.reached, each.stopped, widest, words)
        for each in report.questions[:STATIONS]
    ]
    more = len(report.questions) - STATIONS
    note = f'<p class="note">{words.say("more", n=words.number(more))}</p>' if more > 0 else ""
    return f'<ul class="bars way">{"".join(lines)}</ul>{note}'


def _station(name: str, reached: int, stopped: int, widest: int, words: Words) -> str:
    facts = [f"<b>{words.number(reached)}</b>"] if reached else []
    if stopped:
        share = f" ({words.percent(stopped / reached)})" if reached else ""
        facts.append(words.say("stopped", n=words.number(stopped) + share))
    passed = max(reached - stopped, 0)
    parts = f'<i style="width:{100 * passed / widest:.2f}%"></i>' if passed else ""
    if stopped:
        parts += f'<i class="stop" style="width:{100 * stopped / widest:.2f}%"></i>'
    return (
        f'<li><span class="name">{escape(name)}</span><span class="count">{" · ".join(facts)}'
        f'</span><span class="track">{parts}</span></li>'
    )


def answers(report: Report, words: Words) -> str:
    """Each question with the shares of its answers."""
    shown = "".join(_question(each, words) for each in report.questions[:QUESTIONS])
    more = len(report.questions) - QUESTIONS
    note = f'<p class="note">{words.say("more", n=words.number(more))}</p>' if more > 0 else ""
    return shown + note


def _question(question: Question, words: Words) -> str:
    number = words.number
    facts = [
        words.say("reached", n=number(question.reached)),
        words.say("answered", p=words.percent(question.answered / question.reached)),
    ]
    if question.files:
        facts.append(words.say("files", n=number(question.files)))
    if question.handed:
        facts.append(words.say("handed", n=number(question.handed)))
    if question.different > len(question.answers.items):
        different = number(question.different)
        if not question.answers.exact:
            different = words.say("at_least", n=different)
        facts.append(words.say("different", n=different))
    said = "".join(f"<span>{fact}</span>" for fact in facts)
    if question.stopped:
        stopped = words.say("stopped", n=number(question.stopped))
        said += f'<span class="stopped">{stopped}</span>'
    variable = f" <code>{escape(question.variable)}</code>" if question.variable else ""
    shares = bars(question.answers, words, ANSWERS) if question.answers.items else ""
    return (
        f'<div class="question"><h3>{escape(question.text)}{variable}</h3>'
        f'<div class="facts">{said}</div>{shares}</div>'
    )
