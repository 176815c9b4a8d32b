"""The report in a terminal: bars, and a heat map of the week."""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from vertexkit.analytics.periods import periods
from vertexkit.analytics.report import Breakdown, Question, Report
from vertexkit.analytics.words import Language, Words

ROWS, ANSWERS, QUESTIONS = 8, 5, 40
"""Shown of a breakdown, of a question's answers, and of the questions."""
ENDINGS = {
    "completed": "green",
    "in_process": "blue",
    "operator": "magenta",
    "interrupted": "red",
    "other": "bright_black",
    "not_started": "bright_black",
}
SHADES = " ░▒▓█"
"""Of the heat map, where there are no colours."""
COLOURS = ("#1e293b", "#1e3a8a", "#1d4ed8", "#3b82f6", "#93c5fd")
EIGHTHS = " ▏▎▍▌▋▊▉"
HOURS = ((3, 92), (2, 68), (1, 0))
"""Characters for an hour of the heat map, and the width of a terminal that has room for them."""
BAR, NAME, WIDTH = 36, 28, 100
"""Characters: of the longest bar, of the longest name, of the whole."""


def show(report: Report, console: Console, language: Language = "en") -> None:
    """Print the report.

    Args:
        report: of `analyse`.
        console: its width and colours are made use of.
        language: "en" or "ru".
    """
    console.print(View(report, Words(language), console).whole())


class View:
    """The parts of a report, as a terminal shows them."""

    def __init__(self, report: Report, words: Words, console: Console) -> None:
        self._report = report
        self._words = words
        self._colours = console.color_system is not None
        width = min(console.width, WIDTH)
        self._name = max(8, min(NAME, width - 30))
        self._bar = max(6, min(BAR, width - self._name - 22))
        self._hour = next(wide for wide, least in HOURS if console.width >= least)

    def whole(self) -> Group:
        """All of it."""
        report, words = self._report, self._words
        if not report.dialogs:
            return Group(Text(words.say("empty"), "bold"), Text(words.say("empty_note"), "dim"))
        parts: list[RenderableType] = [self._head(), *self._endings()]
        spread = periods(report, words)
        if spread.columns:
            named = [(column.name, column.count) for column in spread.columns]
            parts += [*self._heading(spread.heading), *self._bars(named, report.dialogs)]
            parts += [*self._heading("week"), *self._heat()]
        for name in ("bots", "cities", "sources"):
            parts += self._shares(name, getattr(report, name))
        parts += self._durations()
        if report.questions:
            parts += [*self._heading("questions"), *self._questions()]
        return Group(*parts, *self._notes())

    def _head(self) -> Text:
        report, words = self._report, self._words
        head = Text(words.say("title"), "bold")
        if report.first is not None and report.last is not None:
            days = (words.day(each.date().isoformat()) for each in (report.first, report.last))
            head.append("  " + " — ".join(dict.fromkeys(days)), "default")
        head.append(f"  {words.say('zone', zone=report.zone)}", "dim not bold")
        return head

    def _heading(self, text: str) -> list[Text]:
        return [Text(), Text(self._words.say(text), "bold")]

    def _endings(self) -> Iterator[Text]:
        words, ends = self._words, self._report.completion
        yield Text()
        share = "—" if ends.of_started is None else words.percent(ends.of_started)
        ratio = "—" if ends.to_interrupted is None else words.number(ends.to_interrupted, 1)
        yield Text(
            f"{words.say('all')} {words.number(self._report.dialogs)}   "
            f"{words.say('completed_share')} {share} "
            f"{words.say('of_started', n=words.number(ends.started))}   "
            f"{words.say('ratio')} {ratio}"
        )
        for name, colour in ENDINGS.items():
            if count := getattr(ends, name):
                yield self._line(words.say(name), count, self._report.dialogs, 1.0, colour)

    def _bars(self, named: Sequence[tuple[str, int]], total: int) -> Iterator[Text]:
        widest = max(*(count for _, count in named), 1)
        for name, count in named:
            yield self._line(name, count, total, total / widest)

    def _line(self, name: str, count: int, total: int, scale: float, colour: str = "blue") -> Text:
        """A name, a bar, a figure and a share; the bar is full where share times scale is 1."""
        words, share = self._words, count / total if total else 0.0
        line = Text("  ")
        label = Text(name)
        label.truncate(self._name, overflow="ellipsis", pad=True)
        line.append_text(label)
        line.append(f"  {_bar(share * scale, self._bar)}", colour)
        line.append(f" {words.number(count):>9}")
        line.append(f" {words.percent(share):>7}", "dim")
        return line

    def _shares(self, name: str, shares: Breakdown) -> list[Text]:
        if not shares.total:
            return []
        lines = [*self._heading(name), *self._breakdown(shares, ROWS)]
        if shares.missing:
            missing = self._words.number(shares.missing)
            lines.append(Text(f"  {self._words.say('missing')}: {missing}", "dim"))
        return lines

    def _breakdown(self, shares: Breakdown, rows: int) -> Iterator[Text]:
        shown = [(item.name, item.count) for item in shares.items[:rows]]
        rest = shares.total - sum(count for _, count in shown)
        if rest:
            shown.append((self._words.say("others"), rest))
        yield from self._bars(shown, shares.total)

    def _heat(self) -> Iterator[Text]:
        hours = self._report.hours
        most = max(*map(max, hours), 1)
        wide = self._hour
        ruler = "".join(f"{hour:02}".ljust(wide * 3) if hour % 3 == 0 else "" for hour in range(24))
        yield Text(f"      {ruler} {self._words.say('sum')}", "dim")
        for day, counts in enumerate(hours):
            line = Text(f"  {self._words.weekday(day):<4}")
            for count in counts:
                level = -(-4 * count // most)
                if self._colours:
                    line.append(" " * wide, f"on {COLOURS[level]}")
                else:
                    line.append(SHADES[level] * wide)
            yield line.append(f" {self._words.number(sum(counts))}")

    def _durations(self) -> list[Text]:
        words, spans = self._words, self._report.durations
        if not spans.count:
            return []
        used = [at for at, each in enumerate(spans.bins) if each.count]
        shown = spans.bins[used[0] : used[-1] + 1]
        named = [(words.bin(each.low, each.high), each.count) for each in shown]
        said = words.say(
            "durations_note",
            mean=words.duration(spans.mean),
            median=words.duration(spans.median),
            longest=words.duration(spans.longest),
        )
        return [
            *self._heading("durations"),
            Text(f"  {said}", "dim"),
            *self._bars(named, spans.count),
        ]

    def _questions(self) -> Iterator[Text]:
        words, report = self._words, self._report
        if report.silent:
            yield Text(f"  {words.say('silent')}: {words.number(report.silent)}", "red")
        for number, question in enumerate(report.questions[:QUESTIONS], 1):
            yield Text()
            yield self._question(number, question)
            yield from self._breakdown(question.answers, ANSWERS) if question.answers.items else ()
        if (more := len(report.questions) - QUESTIONS) > 0:
            yield Text(f"  {words.say('more', n=words.number(more))}", "dim")

    def _question(self, number: int, question: Question) -> Text:
        words = self._words
        line = Text(f"  {number}. {question.text}  ")
        facts = [
            words.say("reached", n=words.number(question.reached)),
            words.say("answered", p=words.percent(question.answered / question.reached)),
        ]
        if question.files:
            facts.append(words.say("files", n=words.number(question.files)))
        if question.handed:
            facts.append(words.say("handed", n=words.number(question.handed)))
        line.append("  ".join(facts), "dim")
        if question.stopped:
            share = words.percent(question.stopped / question.reached)
            stopped = words.say("stopped", n=f"{words.number(question.stopped)} ({share})")
            line.append(f"  {stopped}", "red")
        return line

    def _notes(self) -> Iterator[Text]:
        report, words = self._report, self._words
        if report.undated or not report.detailed:
            yield Text()
        if report.undated:
            yield Text(words.say("undated", n=words.number(report.undated)), "dim")
        if not report.detailed:
            yield Text(words.say("undetailed"), "dim")


def _bar(part: float, width: int) -> str:
    """A bar of eighths of characters; whatever is more than nothing can be seen."""
    eighths = round(min(part, 1.0) * width * 8)
    if part > 0:
        eighths = max(eighths, 1)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)
