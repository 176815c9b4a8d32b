"""The options that several commands of `vertexkit dialogs` share."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.options import Json, LanguageOption

DAYS = (
    "A day, a month or a range: 2023-05-01, 2023-05, 2023-05-01..2023-05-31, 2023-05-01.. or "
    "..2023-05."
)


Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]


class ApiVersion(StrEnum):
    """The values of `--api`."""

    V1 = "1"
    V2 = "2"


@dataclass(frozen=True)
class FilterOptions:
    """The options that select dialogs."""

    bot: Annotated[
        list[int] | None,
        typer.Option(
            "--bot", metavar="ID", help="Only dialogs of this bot; repeatable.", show_default=False
        ),
    ] = None
    created: Annotated[
        str | None,
        typer.Option(metavar="DAYS", help=f"Only dialogs created then. {DAYS}", show_default=False),
    ] = None
    updated: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS",
            help="Only dialogs whose last message was sent then; same format.",
            show_default=False,
        ),
    ] = None
    zone: Annotated[
        str | None,
        typer.Option(
            help="Time zone of the days, as in Europe/Moscow or UTC+3.",
            show_default="the platform's",
        ),
    ] = None
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS", help="Only dialogs with this status; repeatable.", show_default=False
        ),
    ] = None
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE", help="Only dialogs from this source; repeatable.", show_default=False
        ),
    ] = None
    city: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CITY", help="Only dialogs from this city; repeatable.", show_default=False
        ),
    ] = None
    variable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help=(
                "Only dialogs with this answer in this variable; repeatable. Takes a request for "
                "each dialog."
            ),
            show_default=False,
        ),
    ] = None
    api: Annotated[
        ApiVersion,
        typer.Option(help="API version: 1 identifies dialogs by numbers, 2 by UUIDs."),
    ] = ApiVersion.V2


@dataclass(frozen=True)
class ReportOptions:
    """The options of `vertexkit dialogs report`."""

    answers: Annotated[
        bool,
        typer.Option("--answers", help="Count answers too; takes a request for each dialog."),
    ] = False
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Compare with the period before; needs --created or --updated."
        ),
    ] = False
    title: Annotated[
        str | None, typer.Option(help="Title of the report.", show_default="Dialogs")
    ] = None
    bot_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=NAME", help="Name of a bot in the report; repeatable.", show_default=False
        ),
    ] = None
    ending: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS=KIND",
            help=(
                "Count a status of the platform as completed, interrupted, in_process, operator, "
                "not_started or other; repeatable."
            ),
            show_default="VERTEXKIT_ENDINGS",
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write an HTML page instead of printing.",
            show_default=False,
        ),
    ] = None
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            help="Draw interactive charts on the page, which also needs no network.",
        ),
    ] = False
    show: Annotated[
        str | None,
        typer.Option(
            metavar="FIGURE",
            help=(
                "Print only the IDs of the dialogs behind a figure: completed, city:Perm, "
                "source:web, bot:698, hour:14, weekday:mon, day:2023-05-11, duration:10-30 or "
                "stopped:3 (at question 3), and others."
            ),
            show_default=False,
        ),
    ] = None
    lang: Annotated[
        LanguageOption | None,
        typer.Option(help="Language of the report.", show_default="from the locale"),
    ] = None
    as_json: Json = False
