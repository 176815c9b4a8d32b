"""`vertexkit dialogs export`: dialogs to a file, in constant memory, to be gone on with."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli.dialogs.columns import answer_rows, columns_of, dialog_row
from vertexkit.cli.dialogs.filters import Wanted
from vertexkit.cli.dialogs.login import with_bot
from vertexkit.cli.dialogs.progress import counting
from vertexkit.cli.dialogs.resume import Spool
from vertexkit.cli.dialogs.writers import SHEETS, Row, open_sheet
from vertexkit.cli.options import terminal_language
from vertexkit.errors import SettingsError

Rows = Literal["dialogs", "whole", "answers"]


@dataclass(frozen=True, slots=True)
class Export:
    """What goes where."""

    wanted: Wanted
    output: Path
    rows: Rows
    delimiter: str | None
    restart: bool


def run(wish: Export) -> int:
    """Write the file; gives the exit code.

    What has come is kept in `FILE.part` as it came; whoever is cut off and begins again goes on
    from there. The file itself appears when it is whole.

    Raises:
        SettingsError: no such kind of file, or a part of another export is in the way.
    """
    if str(wish.output) == "-":
        with_bot(lambda bot: _print(bot, wish))
        return 0
    suffix = wish.output.suffix.lower()
    if suffix not in SHEETS:
        raise SettingsError(f"{wish.output}: end the file's name in {', '.join(SHEETS)}")
    if not wish.output.absolute().parent.is_dir():
        raise SettingsError(f"there is no folder {wish.output.absolute().parent}")
    delimiter = wish.delimiter or (";" if terminal_language() == "ru" else ",")
    if len(delimiter) != 1:
        raise SettingsError(f"--delimiter is one character, not {delimiter!r}")
    part = wish.output.with_name(wish.output.name + ".part")
    with Spool(part, wish.wanted.described() | {"rows": wish.rows}, wish.restart) as spool:
        if spool.known:
            typer.echo(f"going on after {len(spool.known):,} dialogs in {part}", err=True)
        try:
            with_bot(lambda bot: _collect(bot, wish, spool))
        except BaseException:
            typer.echo(f"what has come is in {part}: begin again to go on", err=True)
            raise
        _write(wish, suffix, delimiter, spool)
        unread = spool.unread
    part.unlink()
    if unread:
        typer.echo(f"{unread} were deleted meanwhile and came without their data", err=True)
    return 0


async def _collect(bot: BotOne, wish: Export, spool: Spool) -> None:
    with counting(len(spool.known)) as advance:
        for number, listed in wish.wanted.lists(bot):
            if wish.rows == "dialogs":
                async for dialog in listed:
                    advance(spool.add(dialog, number))
            else:
                async for whole in listed.detailed(known=spool.known):
                    advance(spool.add(whole, number))


def _write(wish: Export, suffix: str, delimiter: str, spool: Spool) -> None:
    """From what has come to the file, which takes its name when it is whole."""
    columns = columns_of(wish.rows, bots=bool(wish.wanted.bots))
    fresh = wish.output.with_name(f".{wish.output.name}.new")
    count = 0
    try:
        sheet = open_sheet(fresh, suffix, columns, delimiter)
        for dialog, bot in spool:
            for row in rows_of(dialog, wish.rows):
                sheet.write({"bot": bot, **row} if "bot" in columns else row)
                count += 1
        sheet.close()
        fresh.replace(wish.output)
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()
    typer.echo(f"{count:,} rows in {wish.output}")


def rows_of(dialog: Conversation, rows: Rows) -> Iterator[Row]:
    """What a dialog comes to in the file."""
    if rows == "answers" and isinstance(dialog, ConversationDetails):
        yield from answer_rows(dialog)
    else:
        yield dialog_row(dialog, whole=rows == "whole")


async def _print(bot: BotOne, wish: Export) -> None:
    for number, listed in wish.wanted.lists(bot):
        dialogs = listed if wish.rows == "dialogs" else listed.detailed()
        async for dialog in dialogs:
            for row in rows_of(dialog, wish.rows):
                said = {"bot": number, **row} if number is not None else row
                sys.stdout.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
