"""What an analysis comes to: figures, frozen."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """One of several."""

    name: str
    count: int
    share: float
    """Of all that were counted, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How a total divides, the largest first."""

    items: tuple[Share, ...] = ()
    total: int = 0
    """All that were counted, those without a value left out."""
    others: int = 0
    """Of the total: what is none of the items."""
    missing: int = 0
    """Without a value; not in the total."""
    exact: bool = True
    """False: there were more different values than are kept, and an item may be short of those
    that came while it was rare. The total is exact all the same."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Durations from `low` up to `high`, in seconds."""

    low: float
    high: float | None
    """Not included; None: without end."""
    count: int


@dataclass(frozen=True, slots=True)
class Durations:
    """How long dialogs take, in seconds; None where there is nothing to tell."""

    count: int = 0
    missing: int = 0
    mean: float | None = None
    median: float | None = None
    """This and `p90` are exact up to ten minutes, and to a hundredth above."""
    p90: float | None = None
    """Nine of ten dialogs take no longer."""
    longest: float | None = None
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """How dialogs end (the member `status`)."""

    started: int = 0
    """All but those that were created and never started."""
    completed: int = 0
    interrupted: int = 0
    in_process: int = 0
    operator: int = 0
    other: int = 0
    """A status that is none of the above."""
    not_started: int = 0
    of_started: float | None = None
    """Completed to started, 0 to 1; None if none was started."""
    to_interrupted: float | None = None
    """Completed to interrupted; None if none was interrupted."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a bot, over all dialogs whose answers were read."""

    text: str
    variable: str | None
    reached: int
    """Dialogs that hold it."""
    answered: int
    """Dialogs with an answer to it: a text, a choice or a file."""
    files: int
    """Answers that are files."""
    stopped: int
    """Dialogs, interrupted or still in process, whose last question it is."""
    handed: int
    """Dialogs, with an operator now, whose last question it is."""
    position: float
    """Its place in a dialog, on average; the first is 1."""
    answers: Breakdown
    """Files left out. Answers that are rare, and thereby may tell who gave them, are in `others`:
    those given once among five or more, or by fewer than one in two hundred."""
    different: int
    """Different answers; at least so many if `answers` is not exact."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a set of dialogs. All times are those of a dialog's last message."""

    zone: str
    dialogs: int = 0
    detailed: int = 0
    """Of these, with their answers."""
    undated: int = 0
    first: datetime | None = None
    last: datetime | None = None
    completion: Completion = Completion()
    bots: Breakdown = Breakdown()
    cities: Breakdown = Breakdown()
    sources: Breakdown = Breakdown()
    statuses: Breakdown = Breakdown()
    hours: tuple[tuple[int, ...], ...] = ((0,) * 24,) * 7
    """Monday to Sunday, each with 24 hours."""
    month_days: tuple[int, ...] = (0,) * 31
    days: tuple[tuple[str, int], ...] | None = ()
    """`2023-05-11` and its dialogs, in order; days without any are left out. None: too many."""
    months: tuple[tuple[str, int], ...] = ()
    """`2023-05` and its dialogs, in order, likewise."""
    durations: Durations = Durations()
    completed_durations: Durations = Durations()
    """Of completed dialogs alone."""
    questions: tuple[Question, ...] = ()
    """In the order in which dialogs reach them."""
    silent: int = 0
    """Dialogs, interrupted or still in process, without a single question."""

    @property
    def weekdays(self) -> tuple[int, ...]:
        """Monday to Sunday."""
        return tuple(map(sum, self.hours))

    def to_dict(self) -> dict[str, Any]:
        """The same as a JSON object; times are ISO 8601."""
        figures = asdict(self)
        for name in ("first", "last"):
            moment = getattr(self, name)
            figures[name] = None if moment is None else moment.isoformat()
        return figures | {"weekdays": self.weekdays}
