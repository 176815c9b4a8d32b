"""Dialogs, counted in one pass."""

import re
from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from vertexkit.analytics.questions import Questions
from vertexkit.analytics.report import Completion, Report
from vertexkit.analytics.shares import Shares
from vertexkit.analytics.spans import Spans
from vertexkit.botone.models import Conversation, ConversationDetails

OutcomeStatus = Literal["completed", "interrupted", "in_process", "operator", "other", "not_started"]
ENDINGS: dict[str, OutcomeStatus] = {
    "completed": "completed",
    "interrupted": "interrupted",
    "in-process": "in_process",
    "operator": "operator",
    "created": "not_started",
    "new": "not_started",
}
"""What a status means; the platform's document leaves the set open."""
DAYS = 4000
"""Different days that are counted each: eleven years."""
OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d?)(?::?([0-5]\d))?")


class Tally:
    """Counts dialogs as they come; holds counters, never dialogs.

    Args:
        zone: in which weekdays, hours, days and months are counted: `Europe/Moscow`, `UTC+3`,
            or a `tzinfo`.
        endings: what further statuses mean, beside `ENDINGS`.

    Raises:
        ValueError: no such time zone.
    """

    def __init__(
        self, zone: str | tzinfo = "UTC", *, endings: Mapping[str, OutcomeStatus] | None = None
    ) -> None:
        self._zone = time_zone(zone) if isinstance(zone, str) else zone
        self._zone_name = str(zone)
        self._endings = ENDINGS | {_word(word): each for word, each in (endings or {}).items()}
        self._dialogs = self._detailed = self._undated = self._silent = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._ended: Counter[OutcomeStatus] = Counter()
        self._bots, self._cities, self._sources, self._statuses = (Shares() for _ in range(4))
        self._hours = [[0] * 24 for _ in range(7)]
        self._month_days = [0] * 31
        self._days: Counter[str] | None = Counter()
        self._months: Counter[str] = Counter()
        self._spans, self._completed_spans = Spans(), Spans()
        self._questions = Questions()

    def add(self, dialog: Conversation, bot: int | str | None = None) -> None:
        """Count a dialog.

        Args:
            dialog: with its answers (`ConversationDetails`) if those are to be counted too.
            bot: whose dialog it is. The platform's answers do not say: who asks bot by bot knows.
        """
        self._dialogs += 1
        ending = self._endings.get(_word(dialog.status), "other")
        self._ended[ending] += 1
        self._bots.add(None if bot is None else str(bot))
        self._cities.add(_known(dialog.location) or _known(dialog.city))
        self._sources.add(dialog.source)
        self._statuses.add(dialog.status)
        self._spans.add(dialog.duration)
        if ending == "completed":
            self._completed_spans.add(dialog.duration)
        self._date(dialog.updated)
        if isinstance(dialog, ConversationDetails):
            self._detailed += 1
            stopped = ending in {"interrupted", "in_process"}
            self._silent += stopped and not dialog.data
            self._questions.add(dialog.data, stopped=stopped, handed=ending == "operator")

    def _date(self, updated: datetime | None) -> None:
        try:
            local = None if updated is None else updated.astimezone(self._zone)
        except (OverflowError, ValueError):  # at the end of all years
            local = None
        if local is None:
            self._undated += 1
            return
        self._first = local if self._first is None else min(self._first, local)
        self._last = local if self._last is None else max(self._last, local)
        self._hours[local.weekday()][local.hour] += 1
        self._month_days[local.day - 1] += 1
        day = local.date().isoformat()
        self._months[day[:7]] += 1
        if self._days is not None:
            self._days[day] += 1
            if len(self._days) > DAYS:
                self._days = None

    def report(self) -> Report:
        """The figures of what was counted so far."""
        return Report(
            zone=self._zone_name,
            dialogs=self._dialogs,
            detailed=self._detailed,
            undated=self._undated,
            first=self._first,
            last=self._last,
            completion=self._completion(),
            bots=self._bots.breakdown(),
            cities=self._cities.breakdown(),
            sources=self._sources.breakdown(),
            statuses=self._statuses.breakdown(),
            hours=tuple(map(tuple, self._hours)),
            month_days=tuple(self._month_days),
            days=None if self._days is None else tuple(sorted(self._days.items())),
            months=tuple(sorted(self._months.items())),
            durations=self._spans.durations(),
            completed_durations=self._completed_spans.durations(),
            questions=self._questions.result(),
            silent=self._silent,
        )

    def _completion(self) -> Completion:
        counted = Completion(**{str(name): count for name, count in self._ended.items()})
        started = self._dialogs - counted.not_started
        completed, interrupted = counted.completed, counted.interrupted
        return replace(
            counted,
            started=started,
            of_started=completed / started if started else None,
            to_interrupted=completed / interrupted if interrupted else None,
        )


def analyse(
    dialogs: Iterable[Conversation],
    zone: str | tzinfo = "UTC",
    *,
    endings: Mapping[str, OutcomeStatus] | None = None,
) -> Report:
    """Count dialogs in one pass; the arguments are those of `Tally`.

    To tell bots apart, add to a `Tally` bot by bot.

    Raises:
        ValueError: no such time zone.
    """
    tally = Tally(zone, endings=endings)
    for dialog in dialogs:
        tally.add(dialog)
    return tally.report()


async def analyse_async(
    dialogs: AsyncIterable[Conversation],
    zone: str | tzinfo = "UTC",
    *,
    endings: Mapping[str, OutcomeStatus] | None = None,
) -> Report:
    """As `analyse`, of what comes bit by bit: of `bot.v2.conversations()`, for example.

    Raises:
        ValueError: no such time zone.
    """
    tally = Tally(zone, endings=endings)
    async for dialog in dialogs:
        tally.add(dialog)
    return tally.report()


def time_zone(name: str) -> tzinfo:
    """A time zone by its name (`Europe/Moscow`) or its distance from UTC (`UTC+3`, `+05:30`).

    Raises:
        ValueError: there is none; says how one is written.
    """
    offset = OFFSET.fullmatch(name)
    try:
        if offset is None:
            return ZoneInfo(name)
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0)))
    except (LookupError, ValueError, OSError):
        raise ValueError(
            f"no time zone {name!r}; write Europe/Moscow or UTC+3 (names of places need the "
            "system's time zones, or: pip install tzdata)"
        ) from None


def _word(status: str) -> str:
    return status.strip().casefold().replace("_", "-").replace(" ", "-")


def _known(place: str | None) -> str | None:
    """None also for how the platform calls a place that it does not know."""
    return None if place is None or place.strip().casefold() == "unknown" else place
