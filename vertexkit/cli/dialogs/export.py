"""`vertexkit dialogs export`: write dialogs to a file, in constant memory; can be resumed."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli import output
from vertexkit.cli.dialogs.columns import answer_rows, column_types, dialog_row
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.progress import dialog_counter
from vertexkit.cli.dialogs.resume import PartFile
from vertexkit.cli.dialogs.writers import WRITERS, Row, open_writer
from vertexkit.cli.options import terminal_language
from vertexkit.errors import SettingsError

RowKind = Literal["dialogs", "whole", "answers"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of `vertexkit dialogs export`."""

    filters: DialogFilters
    output: Path
    """The file; its suffix selects the format. `-` prints JSON lines."""
    rows: RowKind
    delimiter: str | None
    """Of a CSV file; None means the one that Excel expects in the terminal's language."""
    restart: bool


def export_dialogs(options: ExportOptions) -> int:
    """Write the file.

    Dialogs are first collected in `FILE.part`. An export that was interrupted resumes from there.
    The file itself is created when it is complete.

    Returns:
        The exit code, 0.

    Raises:
        SettingsError: The file's suffix, folder or delimiter is invalid, or `FILE.part` belongs
            to another export.
    """
    if str(options.output) == "-":
        run_with_bot(lambda bot: _print(bot, options))
        return 0
    suffix = options.output.suffix.lower()
    if suffix not in WRITERS:
        raise SettingsError(
            f"cannot export to {options.output}. The file name must end in {', '.join(WRITERS)}"
        )
    if not options.output.absolute().parent.is_dir():
        raise SettingsError(f"there is no folder {options.output.absolute().parent}")
    delimiter = options.delimiter or (";" if terminal_language() == "ru" else ",")
    if len(delimiter) != 1:
        raise SettingsError(f"--delimiter must be a single character, got {delimiter!r}")
    path = options.output.with_name(options.output.name + ".part")
    with PartFile(
        path, options.filters.to_dict() | {"rows": options.rows}, options.restart
    ) as part:
        if part.known:
            output.echo(f"Resuming after the {len(part.known):,} dialogs in {path}.", err=True)
        try:
            run_with_bot(lambda bot: _collect(bot, options, part))
        except BaseException:
            output.echo(
                f"The export is incomplete; the dialogs received so far are in {path}. Rerun the "
                "command to resume.",
                err=True,
            )
            raise
        _write(options, suffix, delimiter, part)
        unread = part.unread
    path.unlink()
    if unread:
        output.echo(
            f"{unread} dialogs were deleted during the export; their answers are missing.", err=True
        )
    return 0


async def _collect(bot: BotOne, options: ExportOptions, part: PartFile) -> None:
    with dialog_counter(len(part.known)) as advance:
        for bot_id, conversations in options.filters.lists(bot):
            if options.rows == "dialogs":
                async for dialog in conversations:
                    advance(part.add(dialog, bot_id))
            else:
                async for details in conversations.detailed(
                    skip=lambda dialog: str(dialog.id) in part.known
                ):
                    advance(part.add(details, bot_id))


def _write(options: ExportOptions, suffix: str, delimiter: str, part: PartFile) -> None:
    """Write the rows to a temporary file, and rename it when it is complete."""
    columns = column_types(options.rows, with_bot=bool(options.filters.bots))
    temporary = options.output.with_name(f".{options.output.name}.new")
    count = 0
    try:
        writer = open_writer(temporary, suffix, columns, delimiter)
        for dialog, bot_id in part:
            for row in rows_of(dialog, options.rows):
                writer.write({"bot": bot_id, **row} if "bot" in columns else row)
                count += 1
        writer.close()
        temporary.replace(options.output)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    output.echo(f"Wrote {count:,} rows to {options.output}.")


def rows_of(dialog: Conversation, rows: RowKind) -> Iterator[Row]:
    """The rows of one dialog in the file."""
    if rows == "answers" and isinstance(dialog, ConversationDetails):
        yield from answer_rows(dialog)
    else:
        yield dialog_row(dialog, with_answers=rows == "whole")


async def _print(bot: BotOne, options: ExportOptions) -> None:
    for bot_id, conversations in options.filters.lists(bot):
        dialogs = conversations if options.rows == "dialogs" else conversations.detailed()
        async for dialog in dialogs:
            for row in rows_of(dialog, options.rows):
                line = {"bot": bot_id, **row} if bot_id is not None else row
                output.print_json(line)
