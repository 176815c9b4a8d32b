"""The result of an analysis: frozen values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """The count of one name in a breakdown."""

    name: str
    """The name."""
    count: int
    """How often it occurred."""
    share: float
    """The part of the breakdown's total, 0 to 1."""
    started: int = 0
    """For dialogs: those that were started."""
    completed: int = 0
    """For dialogs: those that were completed."""

    @property
    def rate(self) -> float | None:
        """Completed dialogs divided by started ones, 0 to 1; None if no dialog was started."""
        return self.completed / self.started if self.started else None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A total, divided by name; the most frequent name is first."""

    items: tuple[Share, ...] = ()
    """The names."""
    total: int = 0
    """Everything counted, except missing values."""
    others: int = 0
    """The part of the total that belongs to none of the items."""
    missing: int = 0
    """Missing values; they are not in the total."""
    exact: bool = True
    """False if there were too many different names to count: an item may then lack occurrences
    from before it became frequent. The total is always exact."""


@dataclass(frozen=True, slots=True)
class DurationBin:
    """The number of dialogs whose duration is in an interval."""

    low: float
    """Seconds; included."""
    high: float | None
    """Seconds; not included. None: no upper bound."""
    count: int
    """The number of dialogs."""


@dataclass(frozen=True, slots=True)
class DurationStatistics:
    """How long dialogs take, in seconds; None where no duration is known."""

    count: int = 0
    """Dialogs with a duration."""
    missing: int = 0
    """Dialogs without a duration."""
    mean: float | None = None
    """The arithmetic mean."""
    median: float | None = None
    """The middle, as spreadsheets and pandas compute it: between two values, their mean."""
    p90: float | None = None
    """90 % of the dialogs are not longer; between two values it is interpolated."""
    longest: float | None = None
    """The maximum."""
    bins: tuple[DurationBin, ...] = ()
    """The distribution."""


@dataclass(frozen=True, slots=True)
class CompletionStatistics:
    """The number of dialogs by the group of their status."""

    started: int = 0
    """All dialogs, except those that were created and not started."""
    completed: int = 0
    """Completed dialogs."""
    interrupted: int = 0
    """Interrupted dialogs."""
    in_process: int = 0
    """Dialogs that the bot is still conducting."""
    operator: int = 0
    """Dialogs that an operator conducts."""
    other: int = 0
    """Dialogs with another status."""
    not_started: int = 0
    """Dialogs that were created and not started."""
    rate: float | None = None
    """Completed dialogs divided by started ones, 0 to 1; None if no dialog was started."""
    per_interrupted: float | None = None
    """Completed dialogs divided by interrupted ones; None if no dialog was interrupted."""


@dataclass(frozen=True, slots=True)
class ScoreStatistics:
    """A question that is answered with whole numbers from 1 to 5 or from 0 to 10."""

    lowest: int
    """1 or 0."""
    highest: int
    """5 or 10."""
    count: int
    """Answers that are such numbers."""
    mean: float
    """The arithmetic mean."""
    counts: tuple[int, ...]
    """The answers by number, from the lowest to the highest."""
    nps: float | None
    """The Net Promoter Score, -100 to 100, of a question from 0 to 10: the percentage of 9 and 10
    minus that of 0 to 6. None for another question."""


@dataclass(frozen=True, slots=True)
class QuestionStatistics:
    """A question of a bot, in all dialogs whose answers were read."""

    text: str
    """The question's text."""
    variable: str | None
    """The name of the bot's variable that holds the answer."""
    reached: int
    """Dialogs that contain the question."""
    answered: int
    """Dialogs in which it was answered with a text, a choice or a file."""
    files: int
    """Answers that are files."""
    stopped: int
    """Interrupted or unfinished dialogs whose last question it is."""
    handed_over: int
    """Dialogs with an operator whose last question it is."""
    position: float
    """The average position in a dialog, from 1."""
    answers: Breakdown
    """The answers, except files. Rare answers could identify the person who gave them, so they are
    counted in `others`: with five or more answers, those that occurred once or account for less than
    one in two hundred."""
    different: int
    """The number of different answers; a lower bound if `answers` is not exact."""
    score: ScoreStatistics | None = None
    """The statistics of a question that is answered with a score; None for another one."""


@dataclass(frozen=True, slots=True)
class BotQuestions:
    """The questions of one bot."""

    bot: str | None
    """The bot; None if the dialogs were not listed bot by bot."""
    dialogs: int
    """Dialogs whose answers were read."""
    questions: tuple[QuestionStatistics, ...]
    """The questions, in the order in which dialogs reach them."""
    stopped_before: int
    """Dialogs that stopped before the first question."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a report is about, for its reader."""

    filters: tuple[tuple[str, str], ...] = ()
    """The names of filters, and their values as text."""
    start: date | None = None
    """The first day of the period; None if it is open."""
    end: date | None = None
    """The last day of the period; None if it is open."""
    bot_names: Mapping[str, str] = field(default_factory=dict)
    """Names of bots, by their ids as text."""

    def bot_name(self, bot: str) -> str:
        """Return the name of a bot, or its id if it has none."""
        return self.bot_names.get(bot, bot)


@dataclass(frozen=True, slots=True)
class Report:
    """The statistics of a set of dialogs. A dialog's time is that of its last message."""

    zone: str
    """The time zone of all times."""
    dialogs: int = 0
    """The number of dialogs."""
    detailed: int = 0
    """The number of dialogs whose answers were read."""
    undated: int = 0
    """The number of dialogs without a time."""
    first: datetime | None = None
    """The earliest time of a dialog."""
    last: datetime | None = None
    """The latest time of a dialog."""
    completion: CompletionStatistics = CompletionStatistics()
    """The dialogs by the group of their status."""
    bots: Breakdown = Breakdown()
    """The dialogs by bot."""
    cities: Breakdown = Breakdown()
    """The dialogs by city."""
    sources: Breakdown = Breakdown()
    """The dialogs by source."""
    statuses: Breakdown = Breakdown()
    """The dialogs by the platform's status."""
    hours: tuple[tuple[int, ...], ...] = ((0,) * 24,) * 7
    """The dialogs by weekday, Monday to Sunday, and hour."""
    month_days: tuple[int, ...] = (0,) * 31
    """The dialogs by day of the month."""
    days: tuple[tuple[str, int], ...] | None = ()
    """Days, as `2023-05-11`, and their dialogs, in order; days without dialogs are left out. None
    if there are too many days."""
    months: tuple[tuple[str, int], ...] = ()
    """Months, as `2023-05`, and their dialogs, in order; months without dialogs are left out."""
    durations: DurationStatistics = DurationStatistics()
    """The durations of dialogs that are over; those in process have none yet."""
    completed_durations: DurationStatistics = DurationStatistics()
    """The durations of completed dialogs."""
    by_bot: tuple[BotQuestions, ...] = ()
    """The questions of each bot."""
    unknown_statuses: tuple[Share, ...] = ()
    """The statuses in the group `other`, most frequent first."""
    problems: tuple[str, ...] = ()
    """A sentence for each thing that is missing from the dialogs; see `Conversations.problems`."""
    selection: Selection = Selection()
    """What the report is about."""
    previous: "Report | None" = None
    """The report about the period before, for comparison."""
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of dialogs behind the figures, if they were kept, by the name of the figure: `completed`,
    `city:Perm`, `hour:14`, `stopped:3` for the third of `questions` and others; see
    `vertexkit.analytics.dialog_ids`."""

    @property
    def questions(self) -> tuple[QuestionStatistics, ...]:
        """The questions of all bots, in the order of `by_bot`."""
        return tuple(question for group in self.by_bot for question in group.questions)

    @property
    def stopped_before_questions(self) -> int:
        """Interrupted or unfinished dialogs without a question."""
        return sum(group.stopped_before for group in self.by_bot)

    @property
    def weekdays(self) -> tuple[int, ...]:
        """The dialogs by weekday, Monday to Sunday."""
        return tuple(map(sum, self.hours))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON object; times are ISO 8601 texts."""
        content = _isoformat(asdict(self))
        return {
            **content,
            "weekdays": self.weekdays,
            "questions": [asdict(question) for question in self.questions],
            "stopped_before_questions": self.stopped_before_questions,
        }


def _isoformat(value: Any) -> Any:
    """Return a value with its dates and times as texts."""
    if isinstance(value, dict):
        return {name: _isoformat(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_isoformat(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
