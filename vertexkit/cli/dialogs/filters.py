"""The filters of the commands, applied to the platform's lists and to the dialogs in them."""

import re
from calendar import monthrange
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from vertexkit.analytics.report import Selection
from vertexkit.analytics.time_zones import time_zone
from vertexkit.botone.client import BotOne
from vertexkit.botone.dates import DateLike
from vertexkit.botone.dialog_rows import answer_text
from vertexkit.botone.dialogs import Dialogs
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.pages import Conversations
from vertexkit.botone.statuses import normalise_status
from vertexkit.cli.dialogs.options import FilterOptions
from vertexkit.errors import SettingsError

PAGE_SIZE = 500
"""Dialogs per request."""
ARGUMENT = re.compile(r"\b(created|updated)_(from|to)\b")
"""The client's arguments in its error messages, which are replaced by the options."""
MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
LAST_SECOND = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class DialogFilters:
    """Filters as they were given on the command line."""

    bots: tuple[int, ...] = ()
    """IDs of bots; empty means all."""
    created: str | None = None
    """A day, a month or a range."""
    updated: str | None = None
    """A day, a month or a range."""
    zone: str | None = None
    """The time zone of the days; None leaves it to the platform."""
    statuses: tuple[str, ...] = ()
    """Normalised; empty means all."""
    sources: tuple[str, ...] = ()
    """In lower case; empty means all."""
    cities: tuple[str, ...] = ()
    """In lower case; empty means all."""
    variables: tuple[tuple[str, str], ...] = ()
    """Names of variables and their values in lower case."""
    api_version: int = 2

    @classmethod
    def from_options(cls, options: FilterOptions) -> "DialogFilters":
        """Return the filters that the options describe.

        Raises:
            SettingsError: An option is invalid.
        """
        return cls(
            bots=tuple(dict.fromkeys(options.bot or ())),
            created=options.created,
            updated=options.updated,
            zone=options.zone,
            statuses=tuple(map(normalise_status, options.status or ())),
            sources=tuple(map(_folded, options.source or ())),
            cities=tuple(map(_folded, options.city or ())),
            variables=tuple(map(_variable, options.variable or ())),
            api_version=int(options.api),
        )

    def lists(
        self, bot: BotOne, updated_since: datetime | None = None
    ) -> list[tuple[int | None, Conversations]]:
        """The platform's lists of matching dialogs: one for each bot, or one for all bots.

        Args:
            bot: The client.
            updated_since: Only dialogs updated since then; in place of a filter by update.

        Returns:
            For each list, the bot's ID (None if the list is not limited to a bot) and the list.

        Raises:
            SettingsError: `created` or `updated` is not a range of days.
        """
        bounds: dict[str, DateLike] = {}
        zone = zone_of(self.zone) if self.zone is not None else None
        for name, text in (("created", self.created), ("updated", self.updated)):
            if text is not None:
                found = range_bounds(text, zone)
                bounds |= {f"{name}_{end}": day for end, day in found.items()}
        if updated_since is not None:
            bounds["updated_from"] = updated_since
        api = api_of(bot, self.api_version)
        try:
            return [
                (bot_id, api.conversations(bot_id=bot_id, page_size=PAGE_SIZE, **bounds))
                for bot_id in self.bots or (None,)
            ]
        except ValueError as error:
            raise SettingsError(ARGUMENT.sub(r"--\1", str(error))) from None

    @property
    def are_applied_here(self) -> bool:
        """Whether there are filters that the platform does not have."""
        return bool(self.statuses or self.sources or self.cities or self.variables)

    def match(self, dialog: Conversation) -> bool:
        """Whether a listed dialog passes the filters that the platform does not have."""
        return (
            (not self.statuses or normalise_status(dialog.status) in self.statuses)
            and (not self.sources or _folded(dialog.source) in self.sources)
            and (not self.cities or _folded(dialog.city) in self.cities)
        )

    def match_data(self, dialog: ConversationDetails) -> bool:
        """Whether the data of a dialog passes the filters by variables."""
        given = {
            (_folded(answer.variable), _folded(answer_text(answer.answer)))
            for answer in dialog.data
        }
        return all(wanted in given for wanted in self.variables)

    def selection(self, bot_names: dict[str, str]) -> Selection:
        """What a report about these dialogs says of them.

        Args:
            bot_names: Names of bots, by their IDs as text.
        """
        texts: list[tuple[str, str]] = [("bot", str(bot_id)) for bot_id in self.bots]
        texts += [(name, text) for name, text in self._ranges() if text is not None]
        texts += [("status", status) for status in self.statuses]
        texts += [("source", source) for source in self.sources]
        texts += [("city", city) for city in self.cities]
        texts += [("variable", f"{name}={value}") for name, value in self.variables]
        period = self.period()
        start, end = period if period is not None else (None, None)
        return Selection(tuple(texts), start, end, bot_names)

    def _ranges(self) -> list[tuple[str, str | None]]:
        return [("created", self.created), ("updated", self.updated)]

    def period(self) -> tuple[date | None, date | None] | None:
        """The first and the last day of the filter by update, else of that by creation.

        A bound that is open is None; without such a filter the result is None.
        """
        text = self.updated or self.created
        if text is None:
            return None
        bounds = range_bounds(text)
        return _day_of(bounds.get("from")), _day_of(bounds.get("to"))

    def before(self) -> "DialogFilters":
        """The same filters for the period of the same length that ends where this one starts.

        Raises:
            SettingsError: There is no period, or it is open.
        """
        first, last = self.period() or (None, None)
        if first is None or last is None:
            raise SettingsError(
                "--compare needs a period with a start and an end, for example --updated 2023-05"
            )
        if (first.day, (last + timedelta(1)).day) == (1, 1):  # whole months: compare with months
            months = 12 * (last.year - first.year) + last.month - first.month + 1
            number = 12 * first.year + first.month - 1 - months
            start = date(number // 12, number % 12 + 1, 1)
        else:
            start = first - (last - first) - timedelta(1)
        text = f"{start}..{first - timedelta(1)}"
        if self.updated is not None:
            return replace(self, updated=text)
        return replace(self, created=text)

    def to_dict(self) -> dict[str, Any]:
        """The filters as a JSON object, without those that are not set."""
        found = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return found | {"bots": list(self.bots), "variables": list(map(list, self.variables))}


def range_bounds(text: str, zone: tzinfo | None = None) -> dict[str, str]:
    """The bounds of a range of days, as the platform's filters expect them.

    Args:
        text: `A..B`, `A..`, `..B`, or only `A`; each a day, a month, or a day with a time.
        zone: The time zone of the days: they start at its midnight. None leaves days as they are.

    Returns:
        `from` and `to`; a bound that is open is left out.
    """
    first, dots, last = text.partition("..")
    ends = {"from": first, "to": last if dots else first}
    return {end: _bound(day, end == "to", zone) for end, day in ends.items() if day}


def _bound(text: str, is_end: bool, zone: tzinfo | None) -> str:
    if month := MONTH.fullmatch(text):
        year, number = int(month[1]), int(month[2])
        last = monthrange(year, number)[1] if year else 1
        text = f"{text}-{last if is_end else 1:02}"
    if zone is None:
        return text
    try:
        if DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime.combine(day, LAST_SECOND if is_end else time.min, zone).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # the client describes what is wrong
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).isoformat()


def zone_of(name: str) -> tzinfo:
    """The time zone of an option.

    Raises:
        SettingsError: The time zone is unknown.
    """
    try:
        return time_zone(name)
    except ValueError as error:
        raise SettingsError(f"--zone: {error}") from None


def api_of(bot: BotOne, version: int) -> Dialogs:
    """The client's methods of API version 1 or 2."""
    return bot.v1 if version == 1 else bot.v2


def _day_of(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SettingsError(
            f"--variable must have the form NAME=VALUE, got {text!r}. For example: "
            "--variable city=Perm"
        )
    return _folded(name), _folded(value)
