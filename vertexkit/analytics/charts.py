"""The charts of the HTML page, drawn with HTML and CSS only, so that screen readers can read them."""

from collections.abc import Iterable, Sequence
from html import escape

from vertexkit.analytics.data_tables import data_table
from vertexkit.analytics.localisation import Locale
from vertexkit.analytics.report import (
    BotQuestions,
    Breakdown,
    CompletionStatistics,
    QuestionStatistics,
    Report,
    ScoreStatistics,
)
from vertexkit.analytics.time_series import ChartColumn

MAX_ROWS, MAX_ANSWERS, MAX_QUESTIONS, MAX_FUNNEL_STEPS = 10, 8, 60, 40
"""What is shown of a breakdown, of a question's answers, of the questions and of the funnel."""
WARM_STRENGTH, HOT_STRENGTH = 0.65, 0.8
"""Above these strengths the text of a cell is inverted in dark mode, and in light mode too."""
MAX_LABELS = 14
"""With more columns, not every column has a label."""
MAX_NUMBERED_COLUMNS, MAX_NARROW_NUMBER = 45, 999
"""Up to this many columns have a number if none is higher: on paper it cannot be read otherwise."""
MAX_NARROW_LABELS = 5
"""The same for a narrow window."""
STATUS_GROUPS = ("completed", "in_process", "operator", "interrupted", "other", "not_started")


def section(heading: str, content: str, *, kind: str = "", note: str = "") -> str:
    """Return a section with a heading; one of the kind `long` may be split when it is printed."""
    note = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section class="{kind}"><h2>{escape(heading)}</h2>{note}{content}</section>'


def outcomes(completion: CompletionStatistics, locale: Locale) -> str:
    """Return one stacked bar of all status groups, and its legend."""
    counts = [(name, getattr(completion, name)) for name in STATUS_GROUPS]
    total = sum(count for _, count in counts)
    shown = [(name, count) for name, count in counts if count]
    stack = "".join(f'<i class="{name}" style="flex:{count} 0 0"></i>' for name, count in shown)
    legend = "".join(
        f'<li><span class="dot {name}"></span>{locale.text(name)} <b>{locale.number(count)}</b> '
        f'<span class="sub">{locale.percent(count / total)}</span></li>'
        for name, count in shown
    )
    rows = [(locale.text(name), count, locale.percent(count / total)) for name, count in shown]
    table = data_table("outcomes", _head(locale, "name", "dialogs", "share"), rows, locale)
    return f'<div class="stack" aria-hidden="true">{stack}</div><ul class="legend">{legend}</ul>{table}'


def _head(locale: Locale, *keys: str) -> list[str]:
    return [locale.text(key) for key in keys]


def bars(
    breakdown: Breakdown, locale: Locale, max_rows: int = MAX_ROWS, *, file: str = "answers"
) -> str:
    """Return a bar for each of the most frequent names, one for the others, and a table of all.

    Args:
        breakdown: the counts.
        locale: the language.
        max_rows: bars at most.
        file: the name of the table's CSV file.
    """
    shown = breakdown.items[:max_rows]
    if len(breakdown.items) == max_rows + 1:  # the last name needs no more room than "others"
        shown = breakdown.items
    others = breakdown.total - sum(item.count for item in shown)
    widest = max([item.count for item in shown] + [others, 1])
    rows = [_bar(item.name, item.count, breakdown.total, widest, locale) for item in shown]
    if others:
        hidden = len(breakdown.items) - len(shown)
        name = locale.text("others") + (f" ({locale.number(hidden)})" if hidden else "")
        rows.append(_bar(name, others, breakdown.total, widest, locale, others=True))
    notes = []
    if breakdown.missing:
        notes.append(f"{locale.text('missing')}: {locale.number(breakdown.missing)}")
    if not breakdown.exact:
        notes.append(locale.text("approximate"))
    note = f'<p class="note" style="margin-top:10px">{"; ".join(notes)}</p>' if notes else ""
    return f'<ul class="bars">{"".join(rows)}</ul>{note}{_breakdown_table(file, breakdown, locale)}'


def _breakdown_table(file: str, breakdown: Breakdown, locale: Locale) -> str:
    if not any(item.started for item in breakdown.items):
        content = [(item.name, item.count, locale.percent(item.share)) for item in breakdown.items]
        key = "answers_count" if file == "answers" else "dialogs"
        return data_table(file, _head(locale, "name", key, "share"), content, locale)
    head = _head(locale, "name", "dialogs", "share", "completed_count", "completion_rate")
    rows = [
        (
            item.name,
            item.count,
            locale.percent(item.share),
            item.completed,
            "—" if item.rate is None else locale.percent(item.rate),
        )
        for item in breakdown.items
    ]
    return data_table(file, head, rows, locale)


def rates(breakdown: Breakdown, locale: Locale) -> str:
    """Return the share of completed dialogs for each of the most frequent names."""
    rows = []
    for item in breakdown.items[:MAX_ROWS]:
        if item.rate is None:
            continue
        numbers = f"{locale.number(item.completed)} / {locale.number(item.started)}"
        bar = f'<i class="done" style="width:{100 * item.rate:.2f}%"></i>' if item.completed else ""
        rows.append(
            f'<li><span class="name">{escape(item.name)}</span><span class="count">'
            f"<b>{locale.percent(item.rate)}</b> {numbers}</span>"
            f'<span class="track">{bar}</span></li>'
        )
    return f'<ul class="bars">{"".join(rows)}</ul>'


def _bar(
    name: str, count: int, total: int, widest: int, locale: Locale, *, others: bool = False
) -> str:
    share = locale.percent(count / total)
    bar = f'<i style="width:{100 * count / widest:.2f}%"></i>' if count else ""
    return (
        f'<li{" class=rest" if others else ""}><span class="name">{escape(name)}</span>'
        f'<span class="count"><b>{locale.number(count)}</b> {share}</span>'
        f'<span class="track">{bar}</span></li>'
    )


def columns(
    shown: Sequence[ChartColumn], locale: Locale, *, file: str, every: int | None = None
) -> str:
    """Return a column chart. If there are many columns, only some have a label or a number.

    Args:
        shown: the columns.
        locale: the language.
        file: the name of the table's CSV file.
        every: the number of columns from one label to the next; by default as many labels as fit.
    """
    highest = max(*(column.count for column in shown), 1)
    label_step = every or max(1, -(-len(shown) // MAX_LABELS))
    # A multiple of the other step: a label that is not there cannot be shown when it is narrow.
    narrow_label_step = label_step * max(1, -(-len(shown) // (MAX_NARROW_LABELS * label_step)))
    fits = len(shown) <= MAX_NUMBERED_COLUMNS and highest <= MAX_NARROW_NUMBER
    has_numbers = fits or len(shown) <= MAX_LABELS
    items = []
    for index, column in enumerate(shown):
        label = column.label if index % label_step == 0 else ""
        has_number = column.count and (has_numbers or column.count == highest)
        always = " class=always" if index % narrow_label_step == 0 else ""
        number = locale.number(column.count)
        items.append(
            f'<li title="{escape(column.name)}: {number}">'
            f'<span class="area"><span class="top">{number if has_number else ""}</span>'
            f'<i class="{_column_class(column)}"'
            f' style="height:{100 * column.count / highest:.2f}%"></i></span>'
            f'<span class="label"><span{always}>{escape(label)}</span></span></li>'
        )
    many = " many" if len(shown) > MAX_LABELS // 2 else ""
    rows = [(column.name, column.count) for column in shown]
    table = data_table(file, _head(locale, "name", "dialogs"), rows, locale)
    return f'<ul class="columns{many}">{"".join(items)}</ul>{table}'


def _column_class(column: ChartColumn) -> str:
    if not column.count:
        return "zero"
    return "partial" if column.is_partial else ""


def heat_map(hours: Sequence[Sequence[int]], locale: Locale) -> str:
    """Return a table of weekdays and hours; a higher count has a stronger colour."""
    highest = max(*map(max, hours), 1)
    head = "".join(
        f'<th class="hour" scope="col"><span{" class=always" if hour % 6 == 0 else ""}>'
        f"{hour:02}</span></th>"
        for hour in range(24)
    )
    rows = []
    for day, counts in enumerate(hours):
        name = locale.weekday(day)
        cells = "".join(
            _cell(f"{name} {hour:02}:00", count, highest, locale)
            for hour, count in enumerate(counts)
        )
        total = locale.number(sum(counts))
        rows.append(
            f'<tr><th class="day" scope="row">{name}</th>{cells}<td class="sum">{total}</td></tr>'
        )
    total_heading = f'<th class="sum" scope="col">{locale.text("total")}</th>'
    content = [(locale.weekday(day), *counts, sum(counts)) for day, counts in enumerate(hours)]
    names = [locale.text("weekday"), *(f"{hour:02}" for hour in range(24)), locale.text("total")]
    table = data_table("hours", names, content, locale)
    return (
        f'<table class="heat"><thead><tr><th class="day"></th>{head}{total_heading}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{table}"
    )


def _cell(name: str, count: int, highest: int, locale: Locale) -> str:
    if not count:
        return f'<td title="{name}: 0"></td>'
    strength = 0.12 + 0.88 * count / highest
    css_class = ""
    if strength > WARM_STRENGTH:
        css_class = ' class="warm hot"' if strength > HOT_STRENGTH else " class=warm"
    number = locale.number(count)
    shown = number if count < 1000 else f"{count / 1000:.0f}k"
    style = f"background:rgba(var(--accent),{strength:.2f})"
    return f'<td{css_class} title="{name}: {number}" style="{style}">{shown}</td>'


def durations(report: Report, locale: Locale) -> str:
    """Return the distribution of durations; empty if no duration is known."""
    bins = report.durations.bins
    if not bins:
        return ""
    used = [index for index, item in enumerate(bins) if item.count]
    rows = []
    for item in bins[used[0] : used[-1] + 1]:
        label = locale.duration_bin(item.low, item.high)
        rows.append(ChartColumn(label, label, item.count))
    return bars_in_order(rows, locale)


def bars_in_order(rows: Iterable[ChartColumn], locale: Locale) -> str:
    """Return a bar for each column, for columns whose labels are too long for a column chart."""
    rows = list(rows)
    total, widest = sum(row.count for row in rows), max(row.count for row in rows)
    shown = "".join(_bar(row.label, row.count, total, widest, locale) for row in rows)
    content = [(row.name, row.count, locale.percent(row.count / total)) for row in rows]
    table = data_table("durations", _head(locale, "name", "dialogs", "share"), content, locale)
    return f'<ul class="bars">{shown}</ul>{table}'


def funnel(group: BotQuestions, locale: Locale) -> str:
    """Return how many dialogs of a bot reach each question and how many stop there."""
    stopped_before = group.stopped_before
    widest = max([question.reached for question in group.questions] + [stopped_before, 1])
    rows = []
    if stopped_before:
        name = locale.text("stopped_before_questions")
        rows.append(_funnel_step(name, 0, stopped_before, widest, locale))
    rows += [
        _funnel_step(question.text, question.reached, question.stopped, widest, locale)
        for question in group.questions[:MAX_FUNNEL_STEPS]
    ]
    more = len(group.questions) - MAX_FUNNEL_STEPS
    head = _head(locale, "name", "reached_count", "stopped_count")
    content = [(item.text, item.reached, item.stopped) for item in group.questions]
    table = data_table("funnel", head, content, locale)
    return f'<ul class="bars funnel">{"".join(rows)}</ul>{_more(more, locale)}{table}'


def _funnel_step(name: str, reached: int, stopped: int, widest: int, locale: Locale) -> str:
    numbers = [f"<b>{locale.number(reached)}</b>"] if reached else []
    if stopped:
        share = f" ({locale.percent(stopped / reached)})" if reached else ""
        numbers.append(locale.text("stopped", n=locale.number(stopped) + share))
    passed = max(reached - stopped, 0)
    parts = f'<i style="width:{100 * passed / widest:.2f}%"></i>' if passed else ""
    if stopped:
        parts += f'<i class="stop" style="width:{100 * stopped / widest:.2f}%"></i>'
    return (
        f'<li><span class="name">{escape(name)}</span><span class="count">{" · ".join(numbers)}'
        f'</span><span class="track">{parts}</span></li>'
    )


def questions(group: BotQuestions, locale: Locale) -> str:
    """Return each question of a bot with the shares of its answers."""
    shown = "".join(_question(question, locale) for question in group.questions[:MAX_QUESTIONS])
    return shown + _more(len(group.questions) - MAX_QUESTIONS, locale)


def scores(score: ScoreStatistics, locale: Locale) -> str:
    """Return a bar for each score, from the highest to the lowest."""
    widest = max(score.counts)
    numbers = range(score.lowest, score.highest + 1)
    rows = [
        _bar(str(number), count, score.count, widest, locale)
        for number, count in reversed(list(zip(numbers, score.counts, strict=True)))
    ]
    content = [
        (str(number), count, locale.percent(count / score.count))
        for number, count in zip(numbers, score.counts, strict=True)
    ]
    table = data_table("scores", _head(locale, "name", "answers_count", "share"), content, locale)
    return f'<ul class="bars scores">{"".join(rows)}</ul>{table}'


def score_texts(score: ScoreStatistics, locale: Locale) -> list[str]:
    """Return the mean of a score, and its NPS if it has one."""
    mean = locale.number(score.mean, 2)
    texts = [locale.text("score", mean=mean, highest=str(score.highest))]
    if score.nps is not None:
        texts.append(locale.text("nps", nps=locale.signed(round(score.nps))))
    return texts


def _question(question: QuestionStatistics, locale: Locale) -> str:
    numbers = [
        locale.text("reached", n=locale.number(question.reached)),
        locale.text("answered", p=locale.percent(question.answered / question.reached)),
    ]
    if question.files:
        numbers.append(locale.text("files", n=locale.number(question.files)))
    if question.handed_over:
        numbers.append(locale.text("handed_over", n=locale.number(question.handed_over)))
    if question.different > len(question.answers.items):
        different = locale.number(question.different)
        if not question.answers.exact:
            different = locale.text("at_least", n=different)
        numbers.append(locale.text("different", n=different))
    if question.score is not None:
        numbers = [*score_texts(question.score, locale), *numbers]
    content = "".join(f"<span>{number}</span>" for number in numbers)
    if question.stopped:
        stopped = locale.text("stopped", n=locale.number(question.stopped))
        content += f'<span class="stopped">{stopped}</span>'
    variable = f" <code>{escape(question.variable)}</code>" if question.variable else ""
    if question.score is not None:
        answers = scores(question.score, locale)
    else:
        answers = bars(question.answers, locale, MAX_ANSWERS) if question.answers.items else ""
    return (
        f'<div class="question"><h3>{escape(question.text)}{variable}</h3>'
        f'<div class="facts">{content}</div>{answers}</div>'
    )


def _more(hidden: int, locale: Locale) -> str:
    if hidden <= 0:
        return ""
    return f'<p class="note">{locale.text("more", n=locale.number(hidden))}</p>'
