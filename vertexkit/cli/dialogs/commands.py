"""The commands `vertexkit dialogs ...` and their options."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertexkit.cli.options import Json, LanguageOption

if TYPE_CHECKING:
    from vertexkit.cli.dialogs.filters import DialogFilters

dialogs: typer.Typer = typer.Typer(
    name="dialogs",
    help="List, show, manage, export and analyse the platform's dialogs.",
    no_args_is_help=True,
)


class _ApiVersion(StrEnum):
    V1 = "1"
    V2 = "2"


class _RowKind(StrEnum):
    DIALOGS = "dialogs"
    WHOLE = "whole"
    ANSWERS = "answers"


DAYS = "A day or a range: 2023-05-01, 2023-05-01..2023-05-31, 2023-05-01.. or ..2023-05-31."

Bot = Annotated[
    list[int] | None,
    typer.Option(
        "--bot", metavar="ID", help="Only dialogs of this bot; repeatable.", show_default=False
    ),
]
Created = Annotated[
    str | None,
    typer.Option(metavar="DAYS", help=f"Only dialogs created then. {DAYS}", show_default=False),
]
Updated = Annotated[
    str | None,
    typer.Option(
        metavar="DAYS",
        help="Only dialogs whose last message was sent then; same format.",
        show_default=False,
    ),
]
Api = Annotated[
    _ApiVersion,
    typer.Option(help="API version: 1 identifies dialogs by numbers, 2 by UUIDs."),
]
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
        help="Variable of the bot; repeatable.",
        show_default=False,
    ),
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Start over instead of resuming an interrupted export.")
]


@dialogs.command("list")
def list_(
    bot: Bot = None,
    created: Created = None,
    updated: Updated = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of dialogs to show.")] = 30,
    api: Api = _ApiVersion.V2,
    *,
    as_json: Json = False,
) -> None:
    """List dialogs in the platform's order."""
    from vertexkit.cli.dialogs.show import list_dialogs

    list_dialogs(_filters(bot, created, updated, api), limit, as_json)


@dialogs.command()
def show(
    dialog: Annotated[
        str, typer.Argument(metavar="ID", help="UUID of the dialog, or its number in API 1.")
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
    api: Api = _ApiVersion.V2,
    as_json: Json = False,
) -> None:
    """Create a dialog."""
    from vertexkit.cli.dialogs.manage import create_dialog

    create_dialog(bot, variable or [], start=start, api_version=int(api), as_json=as_json)


@dialogs.command()
def start(uuid: Uuid) -> None:
    """Let the bot continue a dialog."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("start", uuid)


@dialogs.command()
def stop(uuid: Uuid) -> None:
    """Stop the bot and hand the dialog over to an operator."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("stop", uuid)


@dialogs.command()
def send(
    uuid: Uuid,
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="Text of the message; - reads it from standard input."),
    ],
) -> None:
    """Send a message as the operator."""
    from vertexkit.cli.dialogs.manage import manage_dialog, read_message

    manage_dialog("send", uuid, read_message(text))


@dialogs.command()
def goto(uuid: Uuid, bot: BotId) -> None:
    """Move a dialog to another bot."""
    from vertexkit.cli.dialogs.manage import manage_dialog

    manage_dialog("goto", uuid, bot)


@dialogs.command()
def files(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="The dialogs. Without IDs, the options select them.",
            show_default=False,
        ),
    ] = None,
    bot: Bot = None,
    created: Created = None,
    updated: Updated = None,
    api: Api = _ApiVersion.V2,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the files.")] = Path(
        "files"
    ),
) -> None:
    """Download uploaded files; skip those downloaded earlier."""
    from vertexkit.cli.dialogs.download import download_files

    filters = _filters(bot, created, updated, api)
    raise typer.Exit(download_files(filters, ids or [], output))


@dialogs.command()
def export(
    output: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A file ending in .jsonl, .csv, .parquet or .xlsx; - prints JSON lines.",
        ),
    ],
    bot: Bot = None,
    created: Created = None,
    updated: Updated = None,
    api: Api = _ApiVersion.V2,
    rows: Annotated[
        _RowKind,
        typer.Option(
            help="A row for each dialog (whole: including its answers) or for each answer."
        ),
    ] = _RowKind.DIALOGS,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="Delimiter of a .csv file.",
            show_default="semicolon in a Russian locale, otherwise comma",
        ),
    ] = None,
    *,
    restart: Restart = False,
) -> None:
    """Write dialogs to a file. Rerun to resume."""
    from vertexkit.cli.dialogs.export import ExportOptions, export_dialogs

    filters = _filters(bot, created, updated, api)
    options = ExportOptions(filters, output, rows.value, delimiter, restart)
    raise typer.Exit(export_dialogs(options))


@dialogs.command()
def report(
    bot: Bot = None,
    created: Created = None,
    updated: Updated = None,
    zone: Annotated[
        str,
        typer.Option(help="Time zone for weekdays and hours, as in Europe/Moscow or UTC+3."),
    ] = "UTC",
    *,
    answers: Annotated[
        bool,
        typer.Option("--answers", help="Count answers too; takes a request for each dialog."),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write an HTML page instead of printing.", show_default=False),
    ] = None,
    lang: Annotated[
        LanguageOption | None,
        typer.Option(help="Language of the report.", show_default="from the locale"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show statistics by bot, city, source, day, hour, duration, outcome and answer."""
    from vertexkit.cli.dialogs.report import ReportOptions, report_dialogs

    filters = _filters(bot, created, updated, _ApiVersion.V2)
    report_dialogs(
        ReportOptions(
            filters, zone, answers, html, lang.value if lang is not None else None, as_json
        )
    )


def _filters(
    bot: list[int] | None, created: str | None, updated: str | None, api: _ApiVersion
) -> "DialogFilters":
    from vertexkit.cli.dialogs.filters import DialogFilters

    return DialogFilters(tuple(dict.fromkeys(bot or ())), created, updated, int(api))
