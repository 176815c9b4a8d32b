"""`vertexkit dialogs export`: write dialogs to a file; can be resumed."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vertexkit.botone.client import BotOne
from vertexkit.botone.dialog_rows import Row, RowKind, WideColumns, column_types, rows_of
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.pages import Conversations
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.dialogs.login import account, run_with_bot
from vertexkit.cli.dialogs.progress import dialog_progress
from vertexkit.cli.dialogs.resume import PartFile
from vertexkit.cli.dialogs.source import DialogSource, report_problems
from vertexkit.cli.dialogs.writers import CsvOptions, format_of, open_writer
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import terminal_language, translate, translate_sentence
from vertexkit.errors import SettingsError

MAX_RESUMED_SECONDS = 3600
"""An export that began longer ago reads its lists again: the rows in its file are too old."""
CLOCK_TOLERANCE_SECONDS = 300
"""How far the platform's clock may be behind."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of `vertexkit dialogs export`."""

    filters: DialogFilters
    output: Path
    """The file; its name selects the format. `-` prints JSON lines."""
    rows: RowKind
    delimiter: str | None
    """Of a CSV file; None means the one that Excel expects in the terminal's language."""
    keep_formulas: bool
    restart: bool
    quiet: bool = False
    """Show no progress bar."""

    def csv(self) -> CsvOptions:
        """The options of a CSV file.

        Raises:
            SettingsError: The delimiter is invalid.
        """
        delimiter = self.delimiter or (";" if terminal_language() == "ru" else ",")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise SettingsError(f"--delimiter must be a single character, got {delimiter!r}")
        return CsvOptions(delimiter, self.keep_formulas)


def export_dialogs(options: ExportOptions) -> int:
    """Write the file.

    Dialogs are first collected in `FILE.part`. An export that was interrupted resumes from there.
    The file itself is created when it is complete. If dialogs are missing, it has the others, and
    `FILE.part` remains, so that the next run requests only the missing ones.

    Returns:
        The exit code: 1 if dialogs or their answers are missing, else 0.

    Raises:
        SettingsError: The file's suffix, folder or delimiter is invalid, or `FILE.part` is in use
            or belongs to another export.
    """
    if str(options.output) == "-":
        return _print_rows(options)
    suffix = format_of(options.output)
    csv_options = options.csv()
    if not options.output.absolute().parent.is_dir():
        raise SettingsError(f"there is no folder {options.output.absolute().parent}")
    path = options.output.with_name(options.output.name + ".part")
    export = {**options.filters.to_dict(), "rows": options.rows, "platform": account()}
    with PartFile(path, export, options.restart) as part:
        if len(part) or part.failed:
            output.echo(
                translate("Resuming after the {0} dialogs in {1}.", f"{len(part):,}", path),
                err=True,
            )
        problems = _collect_all(options, part, path)
        _write(options, suffix, csv_options, part)
        problems += [
            f"the data of dialog {dialog.id} could not be read: {error}"
            for dialog, _, error in part.failures()
        ]
        problems = list(dict.fromkeys(problems))
        unread = part.unread
    if unread:
        output.echo(
            translate(
                "{0} dialogs were deleted during the export; their answers are missing.", unread
            ),
            err=True,
        )
    if problems:
        report_problems(problems)
        output.echo(
            translate("Rerun the command to request only what is missing ({0}).", path), err=True
        )
        return EXIT_FAILED
    path.unlink()
    return 0


def _collect_all(options: ExportOptions, part: PartFile, path: Path) -> list[str]:
    """Read the dialogs into the part file; return what is missing from the list."""
    try:
        return run_with_bot(lambda bot: _collect(bot, options, part))
    except BaseException:
        output.echo(
            translate(
                "The export is incomplete; the dialogs received so far are in {0}. Rerun the command to resume.",
                path,
            ),
            err=True,
        )
        raise


async def _collect(bot: BotOne, options: ExportOptions, part: PartFile) -> list[str]:
    failed_before = [(dialog, bot_id) for dialog, bot_id, _ in part.failures()]
    source = DialogSource(options.filters, with_answers=options.rows != "dialogs")
    lists = options.filters.lists(bot)
    by_bot = dict(lists)
    find_total = source.find_total(lists)
    with dialog_progress(len(part), find_total, quiet=options.quiet) as advance:
        updates = _resume_lists(bot, options, part, lists)
        # Only lists without the dialogs' data are resumed where they ended.
        recorded = set(by_bot) if options.rows != "dialogs" else set()
        async for dialog, bot_id in source.dialogs(bot, part.has, [*lists, *updates]):
            total = by_bot[bot_id].total_at_start
            if bot_id not in recorded and total is not None:
                recorded.add(bot_id)
                part.begin_list(bot_id, total)
            part.add(dialog, bot_id)
            advance(1)
        # What failed in an earlier run is tried last, so that it delays nothing else.
        for dialog, bot_id in failed_before:
            details = await by_bot[bot_id].details(dialog)
            part.add(details, bot_id)
            advance(not details.unread)
    return source.problems


def _resume_lists(
    bot: BotOne,
    options: ExportOptions,
    part: PartFile,
    lists: list[tuple[int | None, Conversations]],
) -> list[tuple[int | None, Conversations]]:
    """Let the lists continue where an interrupted run has ended, if it was not long ago.

    Where the data of each dialog is requested, the pages are read again: they cost little in
    comparison, and show which dialogs have changed.

    Returns:
        Lists of the dialogs that were updated meanwhile.
    """
    filters = options.filters
    if options.rows != "dialogs" or filters.are_applied_here or filters.updated is not None:
        return []
    updates: list[tuple[int | None, Conversations]] = []
    for bot_id, conversations in lists:
        record = part.list_record(bot_id)
        if record is None or time.time() - record.since > MAX_RESUMED_SECONDS:
            continue
        conversations.resume_after(part.ids_of(bot_id), record.total)
        since = datetime.fromtimestamp(record.since - CLOCK_TOLERANCE_SECONDS, UTC)
        updates += replace(filters, bots=_tuple(bot_id)).lists(bot, since)
    return updates


def _tuple(bot_id: int | None) -> tuple[int, ...]:
    return () if bot_id is None else (bot_id,)


def _write(options: ExportOptions, suffix: str, csv_options: CsvOptions, part: PartFile) -> None:
    """Write the rows to a temporary file, and rename it when it is complete."""
    wide = _wide_columns(part) if options.rows == "wide" else None
    columns = column_types(options.rows) if wide is None else wide.columns
    if options.filters.bots:
        columns = {"bot": int, **columns}
    temporary = options.output.with_name(f".new.{options.output.name}")
    count = 0
    try:
        writer = open_writer(temporary, suffix, columns, csv_options)
        for dialog, bot_id in part:
            for row in _rows(dialog, bot_id, options, wide):
                writer.write(row)
                count += 1
        note = writer.close()
        _replace(temporary, options.output)
    finally:
        with suppress(OSError):  # Windows does not remove a file that is open after an error
            temporary.unlink()
    output.echo(translate("Wrote {0} rows to {1}.", f"{count:,}", options.output))
    if note:
        output.echo(translate("Note: {0}.", translate_sentence(note)), err=True)


def _replace(temporary: Path, path: Path) -> None:
    """Give the complete file its name.

    Raises:
        SettingsError: Windows does not replace a file that a program has open.
    """
    try:
        temporary.replace(path)
    except PermissionError as error:
        raise SettingsError(
            f"{path} cannot be replaced: {error.strerror}. If another program has the file open, "
            "for example Excel, close it there and rerun the command"
        ) from None


def _wide_columns(part: PartFile) -> WideColumns:
    columns = WideColumns()
    for dialog, _ in part:
        if isinstance(dialog, ConversationDetails):
            columns.add(dialog)
    return columns


def _rows(
    dialog: Conversation, bot_id: int | None, options: ExportOptions, wide: WideColumns | None
) -> Iterator[Row]:
    if wide is not None and isinstance(dialog, ConversationDetails):
        rows: Iterator[Row] = iter([wide.row(dialog)])
    else:
        rows = rows_of(dialog, options.rows)
    if not options.filters.bots:
        return rows
    return ({"bot": bot_id, **row} for row in rows)


def _print_rows(options: ExportOptions) -> int:
    """Print JSON lines; return the exit code."""
    if options.rows == "wide":
        raise SettingsError(
            "--rows wide needs a file: its columns are known only when all dialogs have been read"
        )
    source = DialogSource(options.filters, with_answers=options.rows != "dialogs")

    async def print_all(bot: BotOne) -> None:
        lists = options.filters.lists(bot)
        quiet = options.quiet or sys.stdout.isatty()  # the rows are shown there
        with dialog_progress(0, source.find_total(lists), quiet=quiet) as advance:
            async for dialog, bot_id in source.dialogs(bot, None, lists):
                for row in _rows(dialog, bot_id, options, None):
                    output.print_json({name: _printable(value) for name, value in row.items()})
                advance(1)

    run_with_bot(print_all)
    return report_problems(source.problems)


def _printable(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
