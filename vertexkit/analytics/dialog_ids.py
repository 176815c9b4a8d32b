"""The figures of a report by their names, and the ids of the dialogs behind them.

| figure | the dialogs |
|---|---|
| `completed`, `interrupted`, `in_process`, `operator`, `other`, `not_started` | by outcome |
| `bot:1446`, `city:Perm`, `source:web`, `status:archived` | by name; `city:` has those without a city |
| `weekday:mon`, `hour:14`, `hour:mon-14`, `month_day:11` | by the time of the last message |
| `day:2023-05-11`, `week:2023-05-08` (its Monday), `month:2023-05`, `year:2023`, `undated` | by its \
date |
| `duration:10-30`, `duration:86400-` | by duration, in seconds, as in the report's intervals |
| `reached:3`, `answered:3`, `stopped:3`, `handed_over:3` | by the number of the question; `stopped:0` \
has those that stopped before the first one |
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import pairwise

from vertexkit.analytics.durations import BIN_BOUNDS_SECONDS, NO_DURATION, bin_of
from vertexkit.botone.models import Conversation
from vertexkit.text import sanitize

OUTCOMES = ("completed", "interrupted", "in_process", "operator", "other", "not_started")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DURATIONS = (*(f"{low}-{high}" for low, high in pairwise(BIN_BOUNDS_SECONDS)), "86400-")
QUESTION_FIGURES = ("reached", "answered", "stopped", "handed_over")
MAX_IDS = 500
"""Ids that are kept for a figure, if they are kept for all."""
MAX_FIGURES = 10_000
"""Figures whose ids are kept."""
VALUES: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys((*OUTCOMES, "undated"), re.compile("")),
    **dict.fromkeys(("bot", "city", "source", "status"), re.compile(".*", re.DOTALL)),
    **dict.fromkeys(QUESTION_FIGURES, re.compile(r"[1-9]\d{0,3}")),
    "stopped": re.compile(r"0|[1-9]\d{0,3}"),
    "weekday": re.compile("|".join(WEEKDAYS)),
    "hour": re.compile(rf"(?:(?:{'|'.join(WEEKDAYS)})-)?(?:[01]\d|2[0-3])"),
    "month_day": re.compile(r"[1-9]|[12]\d|3[01]"),
    **dict.fromkeys(("day", "week"), re.compile(r"\d{4}-\d\d-\d\d")),
    "month": re.compile(r"\d{4}-\d\d"),
    "year": re.compile(r"\d{4}"),
    "duration": re.compile("|".join(DURATIONS)),
}
"""The kinds of figures, and what may follow the colon. Before the first question is number 0."""
DATES = ("day", "week", "month")
EXAMPLES = (
    "completed, interrupted, in_process, operator, other, not_started, undated, bot:1446, "
    "city:Perm, source:web, status:archived, weekday:mon, hour:14, hour:mon-14, month_day:11, "
    "day:2023-05-11, week:2023-05-08, month:2023-05, year:2023, duration:10-30 (seconds), reached:3, answered:3, "
    "stopped:3 and handed_over:3 (question 3)"
)


def figure_name(text: str) -> str:
    """Return the name of a figure in its usual form: `Hour:9` is `hour:09`.

    Args:
        text: as a person writes it; the case does not matter, and `-` is `_` before the colon.

    Raises:
        ValueError: reports have no such figure.
    """
    kind, colon, value = text.strip().partition(":")
    kind, value = kind.strip().casefold().replace("-", "_"), value.strip().casefold()
    if kind == "hour":
        value = re.sub(r"(?<!\d)(\d)$", r"0\1", value)
    pattern = VALUES.get(kind)
    needs_value = pattern is not None and pattern.pattern != ""
    is_known = pattern is not None and pattern.fullmatch(value) and needs_value == bool(colon)
    if not is_known or (kind in DATES and not _is_date(kind, value)):
        raise ValueError(f"reports have no figure {text!r}. The figures are: {EXAMPLES}")
    return f"{kind}:{value}" if colon else kind


def _is_date(kind: str, value: str) -> bool:
    """Whether a day exists, or is the Monday of a week."""
    try:
        day = date.fromisoformat(f"{value}-01" if kind == "month" else value)
    except ValueError:
        return False
    return kind != "week" or day.weekday() == 0


def is_of_question(figure: str) -> bool:
    """Whether a figure is that of a question, so that the dialogs' answers are needed."""
    return figure.partition(":")[0] in QUESTION_FIGURES


class FigureIds:
    """The ids of dialogs by figure.

    Args:
        figure: the only figure whose ids are kept, all of them, as `figure_name` returns it. None
            keeps up to `MAX_IDS` ids of every figure.
    """

    def __init__(self, figure: str | None = None) -> None:
        self._figure = figure
        self._ids: dict[str, list[str]] = {}

    def add(self, figure: str, dialog_id: str) -> None:
        """Add a dialog to a figure."""
        if self._figure is not None and figure.casefold() != self._figure:
            return
        ids = self._ids.get(figure)
        if ids is None:
            if len(self._ids) == MAX_FIGURES:
                return
            ids = self._ids[figure] = []
        if self._figure is not None or len(ids) < MAX_IDS:
            ids.append(dialog_id)

    def of_question(self) -> "FigureIds":
        """Return empty lists for the figures of one question, whose number is not known yet."""
        return FigureIds(None if self._figure is None else self._figure.partition(":")[0])

    def all(self) -> dict[str, tuple[str, ...]]:
        """Return the ids by figure."""
        if self._figure is None:
            return {figure: tuple(ids) for figure, ids in self._ids.items()}
        # Names that differ in their case alone are one figure here.
        return {self._figure: tuple(dialog for ids in self._ids.values() for dialog in ids)}


def figures_of(
    dialog: Conversation, outcome: str, bot: str | None, status: str, local: datetime | None
) -> Iterator[str]:
    """Return the figures that a dialog is counted in, without those of questions.

    Args:
        dialog: the dialog.
        outcome: the group of its status.
        bot: the bot, if known.
        status: its status, normalised.
        local: the time of its last message in the time zone of the report; None if unknown.
    """
    yield outcome
    yield f"bot:{sanitize(bot or '')}"
    yield f"city:{sanitize(dialog.city or '')}"
    yield f"source:{sanitize(dialog.source or '')}"
    yield f"status:{sanitize(status)}"
    if local is None:
        yield "undated"
    else:
        weekday = WEEKDAYS[local.weekday()]
        yield f"weekday:{weekday}"
        yield f"hour:{local.hour:02}"
        yield f"hour:{weekday}-{local.hour:02}"
        yield f"month_day:{local.day}"
        day = local.date().isoformat()
        yield f"day:{day}"
        yield f"week:{date.fromordinal(max(1, local.toordinal() - local.weekday()))}"
        yield f"month:{day[:7]}"
        yield f"year:{day[:4]}"
    if outcome not in NO_DURATION:
        number = bin_of(dialog.duration)
        if number is not None:
            yield f"duration:{DURATIONS[number]}"
