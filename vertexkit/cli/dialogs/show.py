"""`vertexkit dialogs list` and `show`."""

import json
from contextlib import aclosing
from typing import Any

from rich.text import Text

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.source import DialogSource, report_problems
from vertexkit.cli.table import Table
from vertexkit.cli.translation import translate
from vertexkit.errors import DialogUnknown, SettingsError
from vertexkit.text import sanitize

STYLES = {"completed": "green", "interrupted": "red", "operator": "magenta", "in-process": "cyan"}
ANSWER_CHARACTERS = 2000
"""Characters of an answer that are printed."""
TABLE = Table(
    ("id", "number", "city", "status", "source", "updated", "duration"),
    "status",
    STYLES,
    frozenset({"number", "duration"}),
)


def list_dialogs(filters: DialogFilters, limit: int, as_json: bool) -> int:
    """Print dialogs in the platform's order.

    Args:
        filters: Select the dialogs.
        limit: Maximum number of dialogs to print.
        as_json: Print a JSON object for each dialog instead of a table.

    Returns:
        The exit code: 1 if dialogs are missing from the list, else 0.
    """
    source = DialogSource(filters)
    dialogs, total = run_with_bot(lambda bot: _first(bot, filters, source, limit))
    if as_json:
        for dialog in dialogs:
            output.print_json(dialog.to_json())
        return report_problems(source.problems)
    console = output.console()
    if not dialogs:
        console.print(translate("No dialogs match the filters."))
        return report_problems(source.problems)
    head, lines = TABLE.lines([_cells(dialog) for dialog in dialogs])
    for line in (head, *lines):
        console.print(line, soft_wrap=True)
    note = ""
    if total is not None and total > len(dialogs):
        note = translate(
            "Showing {0} of {1} dialogs. Use --limit to show more.", len(dialogs), f"{total:,}"
        )
    elif total is None and len(dialogs) == limit:
        note = translate("Showing {0} dialogs. Use --limit to show more.", len(dialogs))
    if note:
        console.print(Text(note, "dim"), soft_wrap=True)
    return report_problems(source.problems)


async def _first(
    bot: BotOne, filters: DialogFilters, source: DialogSource, limit: int
) -> tuple[list[Conversation], int | None]:
    """The first dialogs that match, and the number of all that match if the platform reports it."""
    lists = filters.lists(bot)
    found: list[Conversation] = []
    async with aclosing(source.dialogs(bot, lists=lists)) as dialogs:
        async for dialog, _ in dialogs:
            found.append(dialog)
            if len(found) == limit:
                break
    totals = []
    for _, conversations in lists:
        if conversations.total is None and not filters.are_applied_here:
            await conversations.page()
        totals.append(conversations.total)
    if filters.are_applied_here or None in totals:
        return found, None
    return found, sum(filter(None, totals))


def _cells(dialog: Conversation) -> tuple[str, ...]:
    return (
        str(dialog.id),
        "" if dialog.number is None else str(dialog.number),
        sanitize(dialog.city or ""),
        sanitize(dialog.status),
        sanitize(dialog.source or ""),
        "" if dialog.updated is None else f"{dialog.updated.astimezone():%Y-%m-%d %H:%M}",
        format_duration(dialog.duration),
    )


def format_duration(seconds: float | None) -> str:
    """A duration as `1:02:03` or `2:03`; empty if it is unknown."""
    if seconds is None or not 0 <= seconds < 1e12:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_dialog(dialog_id: str, as_json: bool) -> None:
    """Print a dialog and its answers.

    Args:
        dialog_id: A UUID, the number of the dialog in API 1, or `#` and the number in its name.
        as_json: Print a JSON object instead of text.

    Raises:
        SettingsError: The ID is not valid.
    """
    dialog = run_with_bot(lambda bot: find_dialog(bot, dialog_id))
    if as_json:
        output.print_json(dialog.to_json())
        return
    console = output.console()
    details = [format_duration(dialog.duration), dialog.location, dialog.source, dialog.ip]
    head = Text(sanitize(dialog.name or str(dialog.id)), "bold")
    head.append(f"  {sanitize(dialog.status)}", STYLES.get(dialog.status, "default"))
    head.append("  " + "  ".join(sanitize(detail) for detail in details if detail), "dim not bold")
    console.print(head)
    console.print(Text(f"{dialog.id}", "dim"))
    if dialog.updated is not None:
        console.print(
            Text(
                translate("last message: {0}", f"{dialog.updated.astimezone():%Y-%m-%d %H:%M:%S}"),
                "dim",
            )
        )
    console.print()
    if not dialog.data:
        console.print(Text(translate("No answers collected."), "dim"))
    for answer in dialog.data:
        question = Text(sanitize(answer.question or "…"), "cyan")
        if answer.variable:
            question.append(f"  {sanitize(answer.variable)}", "dim")
        console.print(question)
        line = Text(f"  {sanitize(_text(answer.answer), ANSWER_CHARACTERS)}")
        if answer.file_id is not None:
            line.append(f"  {translate('file {0}', answer.file_id)}", "dim")
        if answer.deleted:
            line.append(f"  {translate('deleted')}", "red")
        console.print(line, soft_wrap=True)


async def find_dialog(bot: BotOne, dialog_id: str) -> ConversationDetails:
    """Request a dialog from the API version that the form of its ID implies.

    Args:
        bot: The client.
        dialog_id: A number for API 1, a UUID for API 2, or `#` and the number in the dialog's name.

    Raises:
        SettingsError: The ID has none of these forms, or no dialog has the number.
    """
    try:
        if dialog_id.startswith("#"):
            dialog_id = str((await bot.v2.find(int(dialog_id[1:]))).id)
        if dialog_id.isascii() and dialog_id.isdigit():
            return await bot.v1.conversation(int(dialog_id))
        return await bot.v2.conversation(dialog_id)
    except DialogUnknown as error:
        raise SettingsError(str(error)) from None
    except ValueError:
        raise SettingsError(
            f"{dialog_id!r} is not a valid dialog ID. Pass a UUID or a number of API 1, as shown "
            "by `vertexkit dialogs list`, or the number in the dialog's name as '#319'"
        ) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
