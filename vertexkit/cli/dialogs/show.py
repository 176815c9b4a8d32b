"""`vertexkit dialogs list` and `show`."""

import json
from contextlib import aclosing
from typing import Any

from rich.console import Console
from rich.text import Text

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli.dialogs.filters import Wanted
from vertexkit.cli.dialogs.login import with_bot
from vertexkit.cli.table import Table
from vertexkit.errors import SettingsError
from vertexkit.text import plain

STYLES = {"completed": "green", "interrupted": "red", "operator": "magenta", "in-process": "cyan"}
TABLE = Table(
    ("id", "number", "city", "status", "source", "updated", "duration"),
    "status",
    STYLES,
    frozenset({"number", "duration"}),
)


def list_all(wanted: Wanted, limit: int, as_json: bool) -> None:
    """Print the first so many dialogs."""
    found, total = with_bot(lambda bot: _first(bot, wanted, limit))
    if as_json:
        for dialog in found:
            print(dialog.model_dump_json(exclude_none=True))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not found:
        console.print("  no dialog fits; look at the bot's id and the dates")
        return
    head, lines = TABLE.lines([_cells(dialog) for dialog in found])
    for line in (head, *lines):
        console.print(line, soft_wrap=True)
    if total is not None and total > len(found):
        console.print(Text(f"{len(found)} of {total:,}; --limit shows more", "dim"))


async def _first(bot: BotOne, wanted: Wanted, limit: int) -> tuple[list[Conversation], int | None]:
    found: list[Conversation] = []
    total: int | None = 0
    for _, listed in wanted.lists(bot):
        async with aclosing(aiter(listed)) as dialogs:
            async for dialog in dialogs:
                if len(found) == limit:
                    break
                found.append(dialog)
        total = None if total is None or listed.total is None else total + listed.total
    return found, total


def _cells(dialog: Conversation) -> tuple[str, ...]:
    return (
        str(dialog.id),
        "" if dialog.number is None else str(dialog.number),
        plain(dialog.location or dialog.city or ""),
        plain(dialog.status),
        plain(dialog.source or ""),
        "" if dialog.updated is None else f"{dialog.updated.astimezone():%Y-%m-%d %H:%M}",
        duration(dialog.duration),
    )


def duration(seconds: float | None) -> str:
    """As `1:02:03`; empty if unknown."""
    if seconds is None or not 0 <= seconds < 1e12:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_one(dialog_id: str, as_json: bool) -> None:
    """Print a dialog and its data.

    Raises:
        SettingsError: no id of a dialog.
    """
    dialog = with_bot(lambda bot: find(bot, dialog_id))
    if as_json:
        print(dialog.model_dump_json())
        return
    console = Console(highlight=False, markup=False, emoji=False)
    facts = [duration(dialog.duration), dialog.location, dialog.source, dialog.ip]
    head = Text(plain(dialog.name or str(dialog.id)), "bold")
    head.append(f"  {plain(dialog.status)}", STYLES.get(dialog.status, "default"))
    head.append("  " + "  ".join(plain(each) for each in facts if each), "dim not bold")
    console.print(head)
    console.print(Text(f"{dialog.id}", "dim"))
    if dialog.updated is not None:
        console.print(Text(f"last message {dialog.updated.astimezone():%Y-%m-%d %H:%M:%S}", "dim"))
    console.print()
    if not dialog.data:
        console.print(Text("nothing was collected", "dim"))
    for answer in dialog.data:
        question = Text(plain(answer.question or "…"), "cyan")
        if answer.variable:
            question.append(f"  {plain(answer.variable)}", "dim")
        console.print(question)
        said = Text(f"  {plain(_text(answer.answer), 2000)}")
        if answer.file_id is not None:
            said.append(f"  file {answer.file_id}", "dim")
        if answer.deleted:
            said.append("  deleted", "red")
        console.print(said, soft_wrap=True)


async def find(bot: BotOne, dialog_id: str) -> ConversationDetails:
    """The dialog of this id, whichever version knows it.

    Raises:
        SettingsError: it is no id of a dialog.
    """
    try:
        if dialog_id.isascii() and dialog_id.isdigit():
            return await bot.v1.conversation(int(dialog_id))
        return await bot.v2.conversation(dialog_id)
    except ValueError:
        raise SettingsError(
            f"{dialog_id!r} is no id of a dialog: give a UUID or the number of API 1, as "
            "`vertexkit dialogs list` shows them (the number in a dialog's name is another)"
        ) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
