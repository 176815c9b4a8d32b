"""`vertexkit dialogs report`: dialogs counted, in the terminal or as a page."""

import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from vertexkit.analytics import Report, Tally, render_html
from vertexkit.analytics.terminal import show
from vertexkit.botone.client import BotOne
from vertexkit.cli.dialogs.filters import Wanted
from vertexkit.cli.dialogs.login import with_bot
from vertexkit.cli.dialogs.progress import counting
from vertexkit.cli.options import Language, terminal_language
from vertexkit.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Wish:
    """What is counted, and how it is shown."""

    wanted: Wanted
    zone: str
    answers: bool
    html: Path | None
    language: Language | None
    as_json: bool


def run(wish: Wish) -> None:
    """Count, and show it.

    Raises:
        SettingsError: no such time zone, or a page that cannot be written.
    """
    try:
        tally = Tally(wish.zone)
    except ValueError as error:
        raise SettingsError(f"--zone: {error}") from None
    if wish.html is not None and not wish.html.absolute().parent.is_dir():
        raise SettingsError(f"--html: there is no folder {wish.html.absolute().parent}")
    report = with_bot(lambda bot: _count(bot, wish, tally))
    language = wish.language or terminal_language()
    if wish.html is not None:
        wish.html.write_text(render_html(report, language), encoding="utf-8")
        typer.echo(f"{report.dialogs:,} dialogs in {wish.html}")
    elif wish.as_json:
        print(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        show(report, Console(highlight=False, markup=False, emoji=False), language)


async def _count(bot: BotOne, wish: Wish, tally: Tally) -> Report:
    with counting() as advance:
        for number, listed in wish.wanted.lists(bot):
            if wish.answers:
                async for whole in listed.detailed():
                    tally.add(whole, number)
                    advance(1)
            else:
                async for dialog in listed:
                    tally.add(dialog, number)
                    advance(1)
    return tally.report()
