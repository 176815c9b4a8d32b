"""The filters `--bot`, `--created`, `--updated` and `--api`, applied to the platform's lists."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from vertexkit.botone.client import BotOne
from vertexkit.botone.dialogs import Dialogs
from vertexkit.botone.pages import Conversations
from vertexkit.errors import SettingsError

PAGE_SIZE = 200
"""Dialogs per request."""
ARGUMENT = re.compile(r"\b(created|updated)_(from|to)\b")
"""The client's arguments in its error messages, which are replaced by the options."""


@dataclass(frozen=True, slots=True)
class DialogFilters:
    """Filters as they were given on the command line."""

    bots: tuple[int, ...] = ()
    """IDs of bots; empty means all."""
    created: str | None = None
    """A day or a range of days."""
    updated: str | None = None
    """A day or a range of days."""
    api_version: int = 2

    def lists(self, bot: BotOne) -> list[tuple[int | None, Conversations]]:
        """The platform's lists of matching dialogs: one for each bot, or one for all bots.

        Args:
            bot: The client.

        Returns:
            For each list, the bot's ID (None if the list is not limited to a bot) and the list.

        Raises:
            SettingsError: `created` or `updated` is not a range of days.
        """
        bounds: dict[str, str] = {}
        for name, text in (("created", self.created), ("updated", self.updated)):
            if text is not None:
                bounds |= {f"{name}_{end}": day for end, day in range_bounds(text).items()}
        api = api_of(bot, self.api_version)
        try:
            return [
                (bot_id, api.conversations(bot_id=bot_id, page_size=PAGE_SIZE, **bounds))
                for bot_id in self.bots or (None,)
            ]
        except ValueError as error:
            raise SettingsError(ARGUMENT.sub(r"--\1", str(error))) from None

    def to_dict(self) -> dict[str, Any]:
        """The filters as a JSON object, without those that are not set."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        return found | {"bots": list(self.bots)}


def range_bounds(text: str) -> dict[str, str]:
    """The bounds of a range of days.

    Args:
        text: `A..B`, `A..`, `..B`, or the single day `A`.

    Returns:
        `from` and `to`; a bound that is open is left out.
    """
    first, dots, last = text.partition("..")
    bounds = {"from": first, "to": last if dots else first}
    return {end: day for end, day in bounds.items() if day}


def api_of(bot: BotOne, version: int) -> Dialogs:
    """The client's methods of API version 1 or 2."""
    return bot.v1 if version == 1 else bot.v2
