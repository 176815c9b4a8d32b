"""The options that several commands of `vertexkit dialogs` share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

DAYS = (
    "A day, a month or a range: 2023-05-01, 2023-05, 2023-05-01..2023-05-31, 2023-05-01.. or "
    "..2023-05."
)


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
