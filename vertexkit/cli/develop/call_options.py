"""The options of `vertexkit trigger`: the call of a block."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.options import Json, PlatformHost


@dataclass(frozen=True)
class CallOptions:
    """What a block is called with, where, and how that is shown."""

    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="NAME=VALUE", help="Input of the block; repeatable."),
    ] = None
    file: Annotated[
        Path | None,
        typer.Option(
            "-f", "--file", help="JSON file with an object of inputs; - reads standard input."
        ),
    ] = None
    edit: Annotated[
        bool,
        typer.Option(
            "--edit", help="Edit the inputs as JSON in $VISUAL or $EDITOR before the call."
        ),
    ] = False
    events: Annotated[
        list[str] | None,
        typer.Option(
            "-e",
            "--event",
            metavar="NAME=JSON",
            help="Event to send when the block waits for it; repeatable. Default: ask.",
            show_default=False,
        ),
    ] = None
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Call a block of the service that runs there; its VERTEXKIT_PLATFORM_URL must be "
            "http://127.0.0.1:PORT/api, where this command then serves the fake platform.",
            show_default=False,
        ),
    ] = None
    platform_host: PlatformHost = "127.0.0.1"
    fast: Annotated[
        bool, typer.Option("--fast", help="Skip the time for typing, pauses and waits.")
    ] = False
    as_json: Json = False
