"""The commands about dialogs: `vertexkit dialogs ...`; what they do is next door."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vertexkit.cli.options import Json, LanguageOption

if TYPE_CHECKING:
    from vertexkit.cli.dialogs.filters import Wanted

dialogs = typer.Typer(
    name="dialogs",
    help="The dialogs of the platform: list, show, manage, export, count.",
    no_args_is_help=True,
)


class _Api(StrEnum):
    V1 = "1"
    V2 = "2"


class _Rows(StrEnum):
    DIALOGS = "dialogs"
    WHOLE = "whole"
    ANSWERS = "answers"


Bot = Annotated[
    list[int] | None,
    typer.Option("--bot", metavar="ID", help="Of this bot; may be repeated.", show_default=False),
]
Period = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="A day, or a period: 2023-05-01..2023-05-31, 2023-05-01.. and so on.",
        show_default=False,
    ),
]
Api = Annotated[_Api, typer.Option(help="1: dialogs are numbers; 2: they are UUIDs.")]
Uuid = Annotated[str, typer.Argument(metavar="UUID", help="As `vertexkit dialogs list` shows it.")]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "-v",
        "--variable",
        metavar="NAME=VALUE",
        help="For the bot; may be repeated.",
        show_default=False,
    ),
]
Restart = Annotated[bool, typer.Option("--restart", help="Do not go on with what was begun.")]


@dialogs.command("list")
def list_(
    bot: Bot = None,
    created: Period = None,
    updated: Period = None,
    limit: Annotated[int, typer.Option(min=1, help="The first so many.")] = 30,
    api: Api = _Api.V2,
    *,
    as_json: Json = False,
) -> None:
    """List dialogs, as the platform orders them."""
    from vertexkit.cli.dialogs.show import list_all

    list_all(_wanted(bot, created, updated, api), limit, as_json)


@dialogs.command()
def show(
    dialog: Annotated[str, typer.Argument(metavar="ID", help="A UUID, or the number of API 1.")],
    as_json: Json = False,
) -> None:
    """Show a dialog and what it has collected."""
    from vertexkit.cli.dialogs.show import show_one

    show_one(dialog, as_json)


@dialogs.command()
def create(
    bot: Annotated[int, typer.Argument(metavar="BOT", help="The bot's id.")],
    variable: Variables = None,
    start: Annotated[bool, typer.Option("--start", help="Let the bot begin at once.")] = False,
    api: Api = _Api.V2,
    as_json: Json = False,
) -> None:
    """Create a dialog."""
    from vertexkit.cli.dialogs.manage import create as make

    make(bot, variable or [], start=start, version=int(api), as_json=as_json)


@dialogs.command()
def start(uuid: Uuid) -> None:
    """Let the bot go on."""
    from vertexkit.cli.dialogs.manage import manage

    manage("start", uuid)


@dialogs.command()
def stop(uuid: Uuid) -> None:
    """Stop the bot and hand the dialog to an operator."""
    from vertexkit.cli.dialogs.manage import manage

    manage("stop", uuid)


@dialogs.command()
def send(uuid: Uuid, text: Annotated[str, typer.Argument(help="- reads it from stdin.")]) -> None:
    """Say something as the operator."""
    from vertexkit.cli.dialogs.manage import manage, spoken

    manage("send", uuid, spoken(text))


@dialogs.command()
def goto(
    uuid: Uuid, bot: Annotated[int, typer.Argument(metavar="BOT", help="The bot's id.")]
) -> None:
    """Move a dialog to another bot."""
    from vertexkit.cli.dialogs.manage import manage

    manage("goto", uuid, bot)


@dialogs.command()
def files(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Dialogs; or filters.", show_default=False),
    ] = None,
    bot: Bot = None,
    created: Period = None,
    updated: Period = None,
    api: Api = _Api.V2,
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder.")] = Path("files"),
) -> None:
    """Bring all uploaded files to disk; what is there already is not fetched again."""
    from vertexkit.cli.dialogs.download import fetch

    wanted = _wanted(bot, created, updated, api)
    raise typer.Exit(fetch(wanted, ids or [], output))


@dialogs.command()
def export(
    output: Annotated[
        Path,
        typer.Argument(help="FILE.jsonl, .csv, .parquet or .xlsx; - prints JSON lines."),
    ],
    bot: Bot = None,
    created: Period = None,
    updated: Period = None,
    api: Api = _Api.V2,
    rows: Annotated[
        _Rows,
        typer.Option(help="A row for each dialog (whole: with its data), or for each answer."),
    ] = _Rows.DIALOGS,
    delimiter: Annotated[
        str | None, typer.Option(help="Of a CSV.", show_default="; in Russian, else a comma")
    ] = None,
    *,
    restart: Restart = False,
) -> None:
    """Write dialogs to a file; begun again, it goes on where it was."""
    from vertexkit.cli.dialogs.export import Export, run

    wanted = _wanted(bot, created, updated, api)
    wish = Export(wanted, output, rows.value, delimiter, restart)
    raise typer.Exit(run(wish))


@dialogs.command()
def report(
    bot: Bot = None,
    created: Period = None,
    updated: Period = None,
    zone: Annotated[str, typer.Option(help="Of weekdays and hours: Europe/Moscow, UTC+3.")] = "UTC",
    *,
    answers: Annotated[
        bool, typer.Option("--answers", help="Count answers too: a request for each dialog.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page instead.", show_default=False)
    ] = None,
    lang: Annotated[
        LanguageOption | None, typer.Option(help="Of the report.", show_default="the terminal's")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count dialogs: by bot, place, source, day, hour, duration, outcome and answer."""
    from vertexkit.cli.dialogs.report import Wish, run

    wanted = _wanted(bot, created, updated, _Api.V2)
    run(Wish(wanted, zone, answers, html, lang.value if lang is not None else None, as_json))


def _wanted(bot: list[int] | None, created: str | None, updated: str | None, api: _Api) -> "Wanted":
    from vertexkit.cli.dialogs.filters import Wanted

    return Wanted(tuple(dict.fromkeys(bot or ())), created, updated, int(api))
