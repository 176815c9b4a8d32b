"""The commands `vertexkit dialogs ...` and their options."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.dialogs.options import ApiVersion, FilterOptions, Quiet, ReportOptions
from vertexkit.cli.option_groups import with_option_groups
from vertexkit.cli.options import Json

dialogs: typer.Typer = typer.Typer(
    name="dialogs",
    help="List, show, manage, export and analyse the platform's dialogs.",
    no_args_is_help=True,
)


class _RowKind(StrEnum):
    DIALOGS = "dialogs"
    WIDE = "wide"
    ANSWERS = "answers"
    WHOLE = "whole"


Uuid = Annotated[
    str,
    typer.Argument(metavar="UUID", help="The dialog, as shown by `vertexkit dialogs list`."),
]
BotId = Annotated[int, typer.Argument(metavar="BOT", help="ID of the bot.")]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "-v",
        "--variable",
        metavar="NAME=VALUE",
        help="Variable of the bot, as text; NAME:=VALUE for JSON; repeatable.",
        show_default=False,
    ),
]
KeepFormulas = Annotated[
    bool,
    typer.Option(
        "--keep-formulas",
        help="Do not put ' before texts of a .csv file that a spreadsheet would calculate.",
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Start over instead of resuming an interrupted export.")
]


@dialogs.command("list")
@with_option_groups
def list_(
    filters: FilterOptions,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of dialogs to show.")] = 30,
    *,
    as_json: Json = False,
) -> None:
    """List dialogs in the platform's order."""
    from vertexkit.cli.dialogs.filters import DialogFilters
    from vertexkit.cli.dialogs.show import list_dialogs

    raise typer.Exit(list_dialogs(DialogFilters.from_options(filters), limit, as_json))


@dialogs.command()
def show(
    dialog: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="UUID of the dialog, its number in API 1, or the number in its name as '#319'.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show a dialog and its answers."""
    from vertexkit.cli.dialogs.show import show_dialog

    show_dialog(dialog, as_json)


@dialogs.command()
def create(
    bot: BotId,
    variable: Variables = None,
    start: Annotated[bool, typer.Option("--start", help="Start the bot at once.")] = False,
    api: Annotated[
        ApiVersion,
        typer.Option(help="API version: 1 identifies dialogs by numbers, 2 by UUIDs."),
    ] = ApiVersion.V2,
    as_json: Json = False,
) -> None:
    """Create a dialog."""
    from vertexkit.cli.dialogs.manage import create_dialog

    create_dialog(bot, variable or [], start=start, api_version=int(api), as_json=as_json)


@dialogs.command()
def start(uuid: Uuid, as_json: Json = False) -> None:
    """Let the bot continue a dialog."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("start", uuid, as_json=as_json)


@dialogs.command()
def stop(uuid: Uuid, as_json: Json = False) -> None:
    """Stop the bot and hand the dialog over to an operator."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("stop", uuid, as_json=as_json)


@dialogs.command()
def send(
    uuid: Uuid,
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="Text of the message; - reads it from standard input."),
    ],
    as_json: Json = False,
) -> None:
    """Send a message as the operator."""
    from vertexkit.cli.dialogs.manage import manage_dialog, read_message

    manage_dialog("send", uuid, read_message(text), as_json=as_json)


@dialogs.command()
def goto(uuid: Uuid, bot: BotId, as_json: Json = False) -> None:
    """Move a dialog to another bot."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("goto", uuid, bot, as_json=as_json)


@dialogs.command()
def forget(
    dialog: Annotated[
        int,
        typer.Argument(
            metavar="ID", help="Number of the dialog, as shown by `vertexkit executions list`."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be erased.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    *,
    as_json: Json = False,
) -> None:
    """Erase what this service keeps of a dialog: executions, memory and recorded runs.

    Nothing is erased on the platform.
    """
    from vertexkit.cli.dialogs.forget import forget_dialog

    raise typer.Exit(forget_dialog(dialog, dry_run=dry_run, yes=yes, as_json=as_json))


@dialogs.command()
@with_option_groups
def files(
    filters: FilterOptions,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="The dialogs. Without IDs, the options select them.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the files.")] = Path(
        "files"
    ),
    limit: Annotated[
        int, typer.Option(min=0, metavar="MIB", help="Maximum size of a file in MiB; 0 for none.")
    ] = 1024,
    at_once: Annotated[
        int, typer.Option(min=1, max=32, help="Number of files to download at the same time.")
    ] = 4,
    *,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download uploaded files; skip those downloaded earlier."""
    from vertexkit.cli.dialogs.download import DownloadOptions, download_files
    from vertexkit.cli.dialogs.filters import DialogFilters

    options = DownloadOptions(
        DialogFilters.from_options(filters),
        tuple(ids or ()),
        output,
        limit,
        at_once,
        as_json,
        quiet,
    )
    raise typer.Exit(download_files(options))


@dialogs.command()
@with_option_groups
def export(
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=(
                "A file ending in .xlsx (for people), .csv, .tsv, .jsonl, .ndjson or .parquet; "
                ".gz after a text format compresses it; - prints JSON lines."
            ),
        ),
    ],
    filters: FilterOptions,
    rows: Annotated[
        _RowKind,
        typer.Option(
            help=(
                "A row for each dialog (wide: with a column for each question; whole: with all "
                "that the platform sent) or for each answer."
            )
        ),
    ] = _RowKind.DIALOGS,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="Delimiter of a .csv file.",
            show_default="semicolon in a Russian locale, otherwise comma",
        ),
    ] = None,
    keep_formulas: KeepFormulas = False,
    *,
    restart: Restart = False,
    quiet: Quiet = False,
) -> None:
    """Write dialogs to a file. Rerun to resume."""
    from vertexkit.cli.dialogs.export import ExportOptions, export_dialogs
    from vertexkit.cli.dialogs.filters import DialogFilters

    options = ExportOptions(
        DialogFilters.from_options(filters),
        output,
        rows.value,
        delimiter,
        keep_formulas,
        restart,
        quiet,
    )
    raise typer.Exit(export_dialogs(options))


@dialogs.command()
@with_option_groups
def report(filters: FilterOptions, options: ReportOptions) -> None:
    """Show statistics by bot, city, source, day, hour, duration, outcome and answer."""
    from vertexkit.cli.dialogs.filters import DialogFilters
    from vertexkit.cli.dialogs.report import report_dialogs

    raise typer.Exit(report_dialogs(DialogFilters.from_options(filters), options))
