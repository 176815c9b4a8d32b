"""The report in a terminal: bars, and a heat map of the week."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from vertexkit.analytics.charts import score_texts
from vertexkit.analytics.comparison import changes, comparison_text, period_text
from vertexkit.analytics.localisation import Language, Locale
from vertexkit.analytics.page import bot_label, filter_texts
from vertexkit.analytics.report import Breakdown, QuestionStatistics, Report, Share
from vertexkit.analytics.time_series import dialogs_over_time

MAX_ROWS, MAX_ANSWERS, MAX_QUESTIONS = 8, 5, 40
"""What is shown of a breakdown, of a question's answers and of the questions."""
STATUS_COLOURS = {
    "completed": "green",
    "in_process": "blue",
    "operator": "magenta",
    "interrupted": "red",
    "other": "bright_black",
    "not_started": "bright_black",
}
HEAT_CHARACTERS = " ░▒▓█"
"""The heat map's levels in a terminal without colours."""
HEAT_COLOURS = ("#1e293b", "#1e3a8a", "#1d4ed8", "#3b82f6", "#93c5fd")
"""The heat map's levels."""
EIGHTHS = " ▏▎▍▌▋▊▉"
"""Parts of a character, for the end of a bar."""
HOUR_WIDTHS = ((3, 92), (2, 68), (1, 0))
"""Characters for an hour of the heat map, and the terminal's width that they need."""
BAR_WIDTH, NAME_WIDTH, REPORT_WIDTH = 36, 28, 100
"""Characters at most: of a bar, of a name, of the whole report."""


def print_report(
    report: Report, console: Console, language: Language = "en", *, title: str | None = None
) -> None:
    """Print the report.

    Args:
        report: the result of `analyse`.
        console: the terminal; its width and its colours are used.
        language: `en` or `ru`.
        title: the report's title; "Dialogs" by default.
    """
    console.print(_TerminalReport(report, Locale(language), console, title).render())


class _TerminalReport:
    """The parts of a report, rendered for a terminal."""

    def __init__(
        self, report: Report, locale: Locale, console: Console, title: str | None = None
    ) -> None:
        self._report = report
        self._title_text = title or locale.text("title")
        self._locale = locale
        self._has_colours = console.color_system is not None
        width = min(console.width, REPORT_WIDTH)
        self._name_width = max(8, min(NAME_WIDTH, width - 30))
        self._bar_width = max(6, min(BAR_WIDTH, width - self._name_width - 22))
        self._hour_width = next(wide for wide, needed in HOUR_WIDTHS if console.width >= needed)

    def render(self) -> Group:
        """Return the whole report."""
        report, locale = self._report, self._locale
        if not report.dialogs:
            return Group(Text(locale.text("empty"), "bold"), Text(locale.text("empty_note"), "dim"))
        parts: list[RenderableType] = [self._title(), *self._outcomes()]
        series = dialogs_over_time(report, locale)
        if series.columns:
            counts = [(column.name, column.count) for column in series.columns]
            parts += [*self._heading(series.heading), *self._bars(counts, report.dialogs)]
            parts += [*self._heading("week"), *self._heat_map()]
        parts += self._breakdown("bots", report.bots)
        parts += self._breakdown("cities", report.cities)
        parts += self._breakdown("sources", report.sources)
        parts += self._durations()
        if report.questions:
            parts += [*self._heading("questions"), *self._questions()]
        return Group(*parts, *self._notes())

    def _title(self) -> Text:
        report, locale = self._report, self._locale
        title = Text(self._title_text, "bold")
        if period := period_text(report, locale):
            title.append(f"  {period}", "default")
        title.append(f"  {locale.text('zone', zone=report.zone)}", "dim not bold")
        for text in filter_texts(report, locale):
            title.append(f"  {text}", "dim not bold")
        return title

    def _heading(self, key: str) -> list[Text]:
        return [Text(), Text(self._locale.text(key), "bold")]

    def _outcomes(self) -> Iterator[Text]:
        locale, completion = self._locale, self._report.completion
        yield Text()
        rate = "—" if completion.rate is None else locale.percent(completion.rate)
        ratio = completion.per_interrupted
        yield Text(
            f"{locale.text('all_dialogs')} {locale.number(self._report.dialogs)}   "
            f"{locale.text('completion_rate')} {rate} "
            f"{locale.text('started', n=locale.number(completion.started))}   "
            f"{locale.text('per_interrupted')} {'—' if ratio is None else locale.number(ratio, 1)}"
        )
        if changed := changes(self._report, locale):
            texts = [f"{locale.text(name)} {change}" for name, change in changed.items()]
            yield Text(f"{comparison_text(self._report, locale)}: {'; '.join(texts)}", "dim")
        for name, colour in STATUS_COLOURS.items():
            if count := getattr(completion, name):
                yield self._line(locale.text(name), count, self._report.dialogs, 1.0, colour)

    def _bars(self, counts: Sequence[tuple[str, int]], total: int) -> Iterator[Text]:
        widest = max(*(count for _, count in counts), 1)
        for name, count in counts:
            yield self._line(name, count, total, total / widest)

    def _line(self, name: str, count: int, total: int, scale: float, colour: str = "blue") -> Text:
        """Return a name, a bar, a count and a share; the bar is full if share times scale is 1."""
        locale, share = self._locale, count / total if total else 0.0
        line = Text("  ")
        label = Text(name)
        label.truncate(self._name_width, overflow="ellipsis", pad=True)
        line.append_text(label)
        line.append(f"  {_bar(share * scale, self._bar_width)}", colour)
        line.append(f" {locale.number(count):>9}")
        line.append(f" {locale.percent(share):>7}", "dim")
        return line

    def _breakdown(self, key: str, breakdown: Breakdown) -> list[Text]:
        if not breakdown.total:
            return []
        lines = [*self._heading(key), *self._items(breakdown, MAX_ROWS)]
        if breakdown.missing:
            missing = self._locale.number(breakdown.missing)
            lines.append(Text(f"  {self._locale.text('missing')}: {missing}", "dim"))
        return lines

    def _items(self, breakdown: Breakdown, max_rows: int) -> Iterator[Text]:
        shown = [(self._item_name(item), item.count) for item in breakdown.items[:max_rows]]
        others = breakdown.total - sum(count for _, count in shown)
        if others:
            shown.append((self._locale.text("others"), others))
        yield from self._bars(shown, breakdown.total)

    def _item_name(self, item: Share) -> str:
        """Return a name; of a bot, its own, and of a breakdown of dialogs, with the completed."""
        name = self._report.selection.bot_name(item.name)
        if item.rate is None:
            return name
        rate = self._locale.percent(item.rate)
        room = self._name_width - len(rate) - 3
        return f"{name if len(name) <= room else name[: room - 1] + '…'} ({rate})"

    def _heat_map(self) -> Iterator[Text]:
        hours = self._report.hours
        highest = max(*map(max, hours), 1)
        width = self._hour_width
        ruler = "".join(
            f"{hour:02}".ljust(width * 3) if hour % 3 == 0 else "" for hour in range(24)
        )
        yield Text(f"      {ruler} {self._locale.text('total')}", "dim")
        for day, counts in enumerate(hours):
            line = Text(f"  {self._locale.weekday(day):<4}")
            for count in counts:
                level = -(-4 * count // highest)
                if self._has_colours:
                    line.append(" " * width, f"on {HEAT_COLOURS[level]}")
                else:
                    line.append(HEAT_CHARACTERS[level] * width)
            yield line.append(f" {self._locale.number(sum(counts))}")

    def _durations(self) -> list[Text]:
        locale, times = self._locale, self._report.durations
        if not times.count:
            return []
        used = [index for index, item in enumerate(times.bins) if item.count]
        shown = times.bins[used[0] : used[-1] + 1]
        counts = [(locale.duration_bin(item.low, item.high), item.count) for item in shown]
        note = locale.text(
            "durations_note",
            mean=locale.duration(times.mean),
            median=locale.duration(times.median),
            longest=locale.duration(times.longest),
        )
        return [
            *self._heading("durations"),
            Text(f"  {note}", "dim"),
            *self._bars(counts, times.count),
        ]

    def _questions(self) -> Iterator[Text]:
        locale, report = self._locale, self._report
        number = 0
        for group in report.by_bot:
            if group.bot is not None:
                yield Text()
                yield Text(f"  {bot_label(group.bot, report, locale)}", "bold")
            if group.stopped_before:
                count = locale.number(group.stopped_before)
                yield Text(f"  {locale.text('stopped_before_questions')}: {count}", "red")
            for question in group.questions:
                number += 1
                if number <= MAX_QUESTIONS:
                    yield Text()
                    yield self._question(number, question)
                    if question.answers.items:
                        yield from self._items(question.answers, MAX_ANSWERS)
        if (more := number - MAX_QUESTIONS) > 0:
            yield Text(f"  {locale.text('more', n=locale.number(more))}", "dim")

    def _question(self, number: int, question: QuestionStatistics) -> Text:
        locale = self._locale
        line = Text(f"  {number}. {question.text}  ")
        numbers = [] if question.score is None else score_texts(question.score, locale)
        numbers += [
            locale.text("reached", n=locale.number(question.reached)),
            locale.text("answered", p=locale.percent(question.answered / question.reached)),
        ]
        if question.files:
            numbers.append(locale.text("files", n=locale.number(question.files)))
        if question.handed_over:
            numbers.append(locale.text("handed_over", n=locale.number(question.handed_over)))
        line.append("  ".join(numbers), "dim")
        if question.stopped:
            share = locale.percent(question.stopped / question.reached)
            stopped = locale.text("stopped", n=f"{locale.number(question.stopped)} ({share})")
            line.append(f"  {stopped}", "red")
        return line

    def _notes(self) -> Iterator[Text]:
        report, locale = self._report, self._locale
        if report.undated or not report.detailed or report.problems:
            yield Text()
        for problem in report.problems:
            yield Text(locale.text("incomplete", problem=problem), "red")
        if report.undated:
            yield Text(locale.text("undated", n=locale.number(report.undated)), "dim")
        if not report.detailed:
            yield Text(locale.text("answers_not_read"), "dim")


def _bar(part: float, width: int) -> str:
    """Return a bar in steps of one eighth of a character; a part above 0 is always visible."""
    eighths = round(min(part, 1.0) * width * 8)
    if part > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)
