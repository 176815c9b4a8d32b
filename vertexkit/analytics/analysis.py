"""Counts dialogs in one pass."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from vertexkit.analytics.breakdowns import BreakdownCounter
from vertexkit.analytics.dialog_ids import FigureIds, figure_name, figures_of
from vertexkit.analytics.dialog_times import TimeCounter
from vertexkit.analytics.durations import NO_DURATION, DurationCounter
from vertexkit.analytics.question_statistics import QuestionCounter
from vertexkit.analytics.report import BotQuestions, CompletionStatistics, Report
from vertexkit.analytics.time_zones import time_zone
from vertexkit.botone.models import Conversation, ConversationDetails, known_city
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
MAX_COMBINATIONS = 5000
"""Combinations of a bot, a city, a source and a status that are counted together."""
STOPPED_AFTER = timedelta(hours=24)
"""A dialog in process has stopped if its last message is older; else its user may still answer."""


_Names = tuple[int | str | None, str | None, str | None, str]
"""A bot, a city as the platform sent it, a source and a status."""


class _Combination:
    """The dialogs with the same names."""

    __slots__ = ("city", "count", "group", "status")

    def __init__(self, city: str | None, status: str, group: StatusGroup) -> None:
        self.count = 0
        self.city = city
        self.status = status
        self.group = group


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
        self._running_since = (now or datetime.now(UTC)) - STOPPED_AFTER
        self._ids: FigureIds | None = None
        if keep_ids:
            self._ids = FigureIds(None if keep_ids is True else figure_name(keep_ids))
        self._dialogs = self._detailed = 0
        self._combinations: dict[_Names, _Combination] = {}
        """What is not yet in the breakdowns: many dialogs have the same names."""
        self._groups: Counter[StatusGroup] = Counter()
        self._bots, self._cities = BreakdownCounter(), BreakdownCounter()
        self._sources, self._statuses = BreakdownCounter(), BreakdownCounter()
        self._unknown_statuses = BreakdownCounter()
        self._times = TimeCounter(self._zone)
        self._completed_durations, self._other_durations = DurationCounter(), DurationCounter()
        self._questions: dict[str | None, QuestionCounter] = {}

    def add(self, dialog: Conversation, bot: int | str | None = None) -> None:
        """Count a dialog.

        Args:
            dialog: the dialog; its answers are counted if it is a `ConversationDetails`.
            bot: the dialog's bot, which the platform's responses do not contain; it is known if
                the dialogs are listed bot by bot.
        """
        self._dialogs += 1
        names = (bot, dialog.location or dialog.city, dialog.source, dialog.status)
        combination = self._combinations.get(names) or self._combine(names)
        combination.count += 1
        group = combination.group
        if group == "completed":
            self._completed_durations.add(dialog.duration)
        elif group not in NO_DURATION:
            self._other_durations.add(dialog.duration)
        local = self._times.add(dialog.updated)
        bot_name = None if bot is None else str(bot)
        if self._ids is not None:
            for figure in figures_of(dialog, group, bot_name, combination.status, local):
                self._ids.add(figure, str(dialog.id))
        if isinstance(dialog, ConversationDetails) and not dialog.unread:
            self._add_answers(dialog, group, bot_name)

    def _combine(self, names: "_Names") -> "_Combination":
        if len(self._combinations) == MAX_COMBINATIONS:
            self._count_combinations()
        status = normalise_status(names[3])
        group = self._status_groups.get(status, "other")
        found = _Combination(known_city(names[1]), status, group)
        self._combinations[names] = found
        return found

    def _count_combinations(self) -> None:
        """Count the dialogs of each combination in the breakdowns."""
        for (bot, _, source, status), found in self._combinations.items():
            group, count = found.group, found.count
            self._groups[group] += count
            started, completed = group != "not_started", group == "completed"
            bot_name = None if bot is None else str(bot)
            for breakdown, name in (
                (self._bots, bot_name),
                (self._cities, found.city),
                (self._sources, source),
            ):
                breakdown.add(name, count, started=started, completed=completed)
            self._statuses.add(found.status, count)
            if group == "other":
                self._unknown_statuses.add(status, count)
        self._combinations.clear()

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

    def report(self) -> Report:
        """Return the statistics of the dialogs counted so far."""
        self._count_combinations()
        by_bot, ids = self._by_bot()
        times = self._times.statistics()
        durations = DurationCounter.sum_of(self._completed_durations, self._other_durations)
        return Report(
            zone=self._zone_name,
            dialogs=self._dialogs,
            detailed=self._detailed,
            undated=self._times.undated,
            first=times.first,
            last=times.last,
            completion=self._completion(),
            bots=self._bots.breakdown(),
            cities=self._cities.breakdown(),
            sources=self._sources.breakdown(),
            statuses=self._statuses.breakdown(),
            hours=times.hours,
            month_days=times.month_days,
            days=times.days,
            months=times.months,
            durations=durations.statistics(),
            completed_durations=self._completed_durations.statistics(),
            by_bot=by_bot,
            unknown_statuses=self._unknown_statuses.breakdown().items,
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
