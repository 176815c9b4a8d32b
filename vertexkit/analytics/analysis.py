"""Counts dialogs in one pass."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

from vertexkit.analytics.breakdowns import BreakdownCounter
from vertexkit.analytics.dialog_ids import FigureIds, figure_name, figures_of
from vertexkit.analytics.durations import DurationCounter
from vertexkit.analytics.question_statistics import QuestionCounter
from vertexkit.analytics.report import BotQuestions, CompletionStatistics, Report, Share
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
"""The groups of the platform's statuses, also for their Russian words. The platform's document
leaves the set of statuses open; an unknown status is in the group `other`."""
MAX_DAYS = 4000
"""Different days that are counted: eleven years."""
STOPPED_AFTER = timedelta(hours=24)
"""A dialog in process has stopped if its last message is older; else its user may still answer."""
NO_DURATION = ("in_process", "not_started")
"""The groups whose dialogs are not over: their durations are not final."""


class Analysis:
    """Counts dialogs one by one. It keeps counters, never dialogs.

    Args:
        zone: the time zone of weekdays, hours, days and months: `Europe/Moscow`, `UTC+3`, or a
            `tzinfo`.
        status_groups: the groups of further statuses, in addition to `STATUS_GROUPS`.
        now: the time of the report; the current time by default.
        keep_ids: the figure for which the ids of its dialogs are kept, for example `city:Perm` or
            `stopped:3`; True keeps up to 500 ids for each figure. See `Report.ids`.

    Raises:
        ValueError: the time zone or the figure is unknown.
    """

    def __init__(
        self,
        zone: str | tzinfo = "UTC",
        *,
        status_groups: Mapping[str, StatusGroup] | None = None,
        now: datetime | None = None,
        keep_ids: bool | str = False,
    ) -> None:
        self._zone = time_zone(zone) if isinstance(zone, str) else zone
        self._zone_name = str(zone)
        self._status_groups = STATUS_GROUPS | {
            normalise_status(status): group for status, group in (status_groups or {}).items()
        }
        self._group_of: dict[str, tuple[str, StatusGroup]] = {}
        """The normalised form and the group of each status that was seen."""
        self._running_since = (now or datetime.now(UTC)) - STOPPED_AFTER
        self._ids: FigureIds | None = None
        if keep_ids:
            self._ids = FigureIds(None if keep_ids is True else figure_name(keep_ids))
        self._dialogs = self._detailed = self._undated = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._groups: Counter[StatusGroup] = Counter()
        self._bots, self._cities = BreakdownCounter(), BreakdownCounter()
        self._sources, self._statuses = BreakdownCounter(), BreakdownCounter()
        self._unknown_statuses = BreakdownCounter()
        self._hours = [0] * (7 * 24)
        self._month_days = [0] * 31
        self._days: dict[int, int] | None = {}
        """The dialogs by day, counted from the first day of year 1."""
        self._months: Counter[str] = Counter()
        """The dialogs by month, once there are too many days."""
        self._durations, self._completed_durations = DurationCounter(), DurationCounter()
        self._questions: dict[str | None, QuestionCounter] = {}

    def add(self, dialog: Conversation, bot: int | str | None = None) -> None:
        """Count a dialog.

        Args:
            dialog: the dialog; its answers are counted if it is a `ConversationDetails`.
            bot: the dialog's bot, which the platform's responses do not contain; it is known if
                the dialogs are listed bot by bot.
        """
        self._dialogs += 1
        status, group = self._group_of.get(dialog.status) or self._new_status(dialog.status)
        self._groups[group] += 1
        started, completed = group != "not_started", group == "completed"
        bot_name = None if bot is None else str(bot)
        self._bots.add(bot_name, started=started, completed=completed)
        self._cities.add(dialog.city, started=started, completed=completed)
        self._sources.add(dialog.source, started=started, completed=completed)
        self._statuses.add(status)
        if group == "other":
            self._unknown_statuses.add(dialog.status)
        if group not in NO_DURATION:
            self._durations.add(dialog.duration)
            if completed:
                self._completed_durations.add(dialog.duration)
        local = self._add_time(dialog.updated)
        if self._ids is not None:
            for figure in figures_of(dialog, group, bot_name, status, local):
                self._ids.add(figure, str(dialog.id))
        if isinstance(dialog, ConversationDetails) and not dialog.unread:
            self._add_answers(dialog, group, bot_name)

    def _new_status(self, status: str) -> tuple[str, StatusGroup]:
        normalised = normalise_status(status)
        found = normalised, self._status_groups.get(normalised, "other")
        if len(self._group_of) < MAX_DAYS:
            self._group_of[status] = found
        return found

    def _add_answers(
        self, dialog: ConversationDetails, group: StatusGroup, bot: str | None
    ) -> None:
        self._detailed += 1
        waits = dialog.updated is not None and dialog.updated > self._running_since
        stopped = group == "interrupted" or (group == "in_process" and not waits)
        questions = self._questions.get(bot)
        if questions is None:
            questions = self._questions[bot] = QuestionCounter(self._ids)
        questions.add(
            dialog.data,
            stopped=stopped,
            handed_over=group == "operator",
            dialog_id=str(dialog.id) if self._ids is not None else "",
        )

    def _add_time(self, updated: datetime | None) -> datetime | None:
        """Count the time of a dialog; return it in the report's time zone, None if unknown."""
        try:
            local = None if updated is None else updated.astimezone(self._zone)
        except (OverflowError, ValueError):  # year 1 or 9999 in another time zone
            local = None
        if local is None or updated is None:
            self._undated += 1
            return None
        # Moments are compared, not clocks: at the end of summer time an hour occurs twice.
        if self._first is None or updated < self._first:
            self._first = updated
        if self._last is None or updated > self._last:
            self._last = updated
        day = local.toordinal()
        self._hours[24 * ((day - 1) % 7) + local.hour] += 1
        self._month_days[local.day - 1] += 1
        if self._days is None:
            self._months[f"{local:%Y-%m}"] += 1
            return local
        self._days[day] = self._days.get(day, 0) + 1
        if len(self._days) > MAX_DAYS:
            self._months = self._count_by_month(self._days)
            self._days = None
        return local

    @staticmethod
    def _count_by_month(days: Mapping[int, int]) -> Counter[str]:
        months: Counter[str] = Counter()
        for day, count in days.items():
            months[date.fromordinal(day).isoformat()[:7]] += count
        return months

    def report(self) -> Report:
        """Return the statistics of the dialogs counted so far."""
        by_bot, ids = self._by_bot()
        months = self._months if self._days is None else self._count_by_month(self._days)
        return Report(
            zone=self._zone_name,
            dialogs=self._dialogs,
            detailed=self._detailed,
            undated=self._undated,
            first=None if self._first is None else self._first.astimezone(self._zone),
            last=None if self._last is None else self._last.astimezone(self._zone),
            completion=self._completion(),
            bots=self._bots.breakdown(),
            cities=self._cities.breakdown(),
            sources=self._sources.breakdown(),
            statuses=self._statuses.breakdown(),
            hours=tuple(tuple(self._hours[24 * day : 24 * day + 24]) for day in range(7)),
            month_days=tuple(self._month_days),
            days=None
            if self._days is None
            else tuple(
                (date.fromordinal(day).isoformat(), n) for day, n in sorted(self._days.items())
            ),
            months=tuple(sorted(months.items())),
            durations=self._durations.statistics(),
            completed_durations=self._completed_durations.statistics(),
            by_bot=by_bot,
            unknown_statuses=self._unknown(),
            ids=ids,
        )

    def _by_bot(self) -> tuple[tuple[BotQuestions, ...], dict[str, tuple[str, ...]]]:
        ids = {} if self._ids is None else self._ids.all()
        groups, number = [], 0
        for bot, counter in self._questions.items():
            questions = counter.statistics()
            for _, ids_by_kind in questions:
                number += 1
                ids |= {f"{kind}:{number}": found for kind, found in ids_by_kind.items()}
            groups.append(
                BotQuestions(
                    bot, counter.dialogs, tuple(q for q, _ in questions), counter.stopped_before
                )
            )
        return tuple(groups), ids

    def _unknown(self) -> tuple[Share, ...]:
        return self._unknown_statuses.breakdown().items

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
