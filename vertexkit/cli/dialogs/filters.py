"""Which dialogs are asked for, in the words of the command line."""

from dataclasses import asdict, dataclass
from typing import Any

from vertexkit.botone.client import BotOne
from vertexkit.botone.dialogs import Dialogs
from vertexkit.botone.pages import Conversations
from vertexkit.errors import SettingsError

PAGE = 200
"""Dialogs that one request asks for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; periods as they were typed."""

    bots: tuple[int, ...] = ()
    created: str | None = None
    updated: str | None = None
    version: int = 2
    """Of the API."""

    def lists(self, bot: BotOne) -> list[tuple[int | None, Conversations]]:
        """One list for each bot, or one of all.

        Raises:
            SettingsError: a text is no period.
        """
        periods: dict[str, str] = {}
        for name, text in (("created", self.created), ("updated", self.updated)):
            if text is not None:
                periods |= {f"{name}_{end}": moment for end, moment in ends(text).items()}
        part = part_of(bot, self.version)
        try:
            return [
                (each, part.conversations(bot_id=each, page_size=PAGE, **periods))
                for each in self.bots or (None,)
            ]
        except ValueError as error:
            name, _, said = str(error).partition(":")
            raise SettingsError(f"--{name.partition('_')[0]}:{said}") from None

    def described(self) -> dict[str, Any]:
        """The same as a JSON object, without what is not asked for."""
        found = {name: value for name, value in asdict(self).items() if value is not None}
        return found | {"bots": list(self.bots)}


def ends(text: str) -> dict[str, str]:
    """The ends of `A..B`, `A..`, `..B`, or of the one day `A`."""
    first, dots, last = text.partition("..")
    found = {"from": first, "to": last if dots else first}
    return {end: moment for end, moment in found.items() if moment}


def part_of(bot: BotOne, version: int) -> Dialogs:
    """The version of the API that is asked."""
    return bot.v1 if version == 1 else bot.v2
