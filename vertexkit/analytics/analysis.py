"""Counts dialogs in one pass."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Literal

from vertexkit.analytics.breakdowns import BreakdownCounter
from vertexkit.analytics.durations import DurationCounter
from vertexkit.analytics.question_statistics import QuestionCounter
from vertexkit.analytics.report import CompletionStatistics, Report
from vertexkit.analytics.time_zones import time_zone
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.statuses import normalise_status

StatusGroup = Literal["completed", "interrupted", "in_process", "operator", "other", "not_started"]
"""The group of a dialog's status."""
STATUS_GROUPS: dict[str, StatusGroup] = {
    "completed": "completed",
    "interrupted": "interrupted",
    "in-process": "in_process",
    "operator": "operator",
    "created": "not_started",
    "new": "not_started",
}
"""The groups of the platform's statuses. The platform's document leaves the set of statuses open;
an unknown status is in the group `other`."""
MAX_DAYS = 4000
"""Different days that are counted: eleven years."""


class Analysis:
    """Counts dialogs one by one. It keeps counters, never dialogs.

    Args:
        zone: the time zone of weekdays, hours, days and months: `Europe/Moscow`, `UTC+3`, or a
            `tzinfo`.
        status_groups: the groups of further statuses, in addition to `STATUS_GROUPS`.

    Raises:
        ValueError: the time zone is unknown.
    """

    def __init__(
        self,
        zone: str | tzinfo = "UTC",
        *,
        status_groups: Mapping[str, StatusGroup] | None = None,
    ) -> None:
        self._zone = time_zone(zone) if isinstance(zone, str) else zone
        self._zone_name = str(zone)
        self._status_groups = STATUS_GROUPS | {
            normalise_status(status): group for status, group in (status_groups or {}).items()
        }
        self._dialogs = self._detailed = self._undated = self._stopped_before_questions = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._groups: Counter[StatusGroup] = Counter()
        self._bots, self._cities = BreakdownCounter(), BreakdownCounter()
        self._sources, self._statuses = BreakdownCounter(), BreakdownCounter()
        self._hours = [[0] * 24 for _ in range(7)]
        self._month_days = [0] * 31
        self._days: Counter[str] | None = Counter()
        self._months: Counter[str] = Counter()
        self._durations, self._completed_durations = DurationCounter(), DurationCounter()
        self._questions = QuestionCounter()

    def add(self, dialog: Conversation, bot: int | str | None = None) -> None:
        """Count a dialog.

        Args:
            dialog: the dialog; its answers are counted if it is a `ConversationDetails`.
            bot: the dialog's bot, which the platform's responses do not contain; it is known if
                the dialogs are listed bot by bot.
        """
        self._dialogs += 1
        group = self._status_groups.get(normalise_status(dialog.status), "other")
        self._groups[group] += 1
        self._bots.add(None if bot is None else str(bot))
        self._cities.add(dialog.city)
        self._sources.add(dialog.source)
        self._statuses.add(dialog.status)
        self._durations.add(dialog.duration)
        if group == "completed":
            self._completed_durations.add(dialog.duration)
        self._add_time(dialog.updated)
        if isinstance(dialog, ConversationDetails):
            self._detailed += 1
            stopped = group in {"interrupted", "in_process"}
            self._stopped_before_questions += stopped and not dialog.data
            self._questions.add(dialog.data, stopped=stopped, handed_over=group == "operator")

    def _add_time(self, updated: datetime | None) -> None:
        try:
            local = None if updated is None else updated.astimezone(self._zone)
        except (OverflowError, ValueError):  # year 1 or 9999 in another time zone
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
            if len(self._days) > MAX_DAYS:
                self._days = None

    def report(self) -> Report:
        """Return the statistics of the dialogs counted so far."""
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
            durations=self._durations.statistics(),
            completed_durations=self._completed_durations.statistics(),
            questions=self._questions.statistics(),
            stopped_before_questions=self._stopped_before_questions,
        )

    def _completion(self) -> CompletionStatistics:
        counts = CompletionStatistics(**{str(group): n for group, n in self._groups.items()})
        started = self._dialogs - counts.not_started
        completed, interrupted = counts.completed, counts.interrupted
        return replace(
            counts,
            started=started,
            rate=completed / started if started else None,
            per_interrupted=completed / interrupted if interrupted else None,
        )


def analyse(
    dialogs: Iterable[Conversation],
    zone: str | tzinfo = "UTC",
    *,
    status_groups: Mapping[str, StatusGroup] | None = None,
) -> Report:
    """Count dialogs in one pass.

    To count by bot, use an `Analysis` and add the dialogs bot by bot.

    Args:
        dialogs: the dialogs.
        zone: as for `Analysis`.
        status_groups: as for `Analysis`.

    Returns:
        The statistics.

    Raises:
        ValueError: the time zone is unknown.
    """
    analysis = Analysis(zone, status_groups=status_groups)
    for dialog in dialogs:
        analysis.add(dialog)
    return analysis.report()


async def analyse_async(
    dialogs: AsyncIterable[Conversation],
    zone: str | tzinfo = "UTC",
    *,
    status_groups: Mapping[str, StatusGroup] | None = None,
) -> Report:
    """Count the dialogs of an asynchronous iterator, for example `bot.v2.conversations()`.

    Args:
        dialogs: the dialogs.
        zone: as for `Analysis`.
        status_groups: as for `Analysis`.

    Returns:
        The statistics.

    Raises:
        ValueError: the time zone is unknown.
        PlatformError: the dialogs cannot be read; see `BotOne`.
    """
    analysis = Analysis(zone, status_groups=status_groups)
    async for dialog in dialogs:
        analysis.add(dialog)
    return analysis.report()
