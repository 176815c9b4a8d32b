"""The options of `vertexkit check` that select further checks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.completion import values


@dataclass(frozen=True)
class CheckOptions:
    """Which further checks are made."""

    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="List the changes of inputs and results since the version whose catalogue is in "
            "this file; exit with code 1 if one breaks published bots.",
            show_default=False,
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Save the catalogue of the app's blocks, for --against of later versions.",
            show_default=False,
        ),
    ] = None

    recorded: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Validate the inputs of the recorded runs in this folder. With --chaos: use them.",
            show_default=False,
        ),
    ] = None
    chaos: Annotated[
        bool,
        typer.Option(
            "--chaos",
            help="Run the blocks under simulated failures; exit with code 1 if a promise is broken.",
        ),
    ] = False
    block: Annotated[
        str | None,
        typer.Option(
            autocompletion=values.blocks,
            help="With --chaos: run only this block.",
            show_default=False,
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --chaos: use the inputs that are saved as inputs/BLOCK/NAME.json.",
            show_default=False,
        ),
    ] = None
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="With --chaos: let blocks make requests to these hosts; repeatable.",
            show_default=False,
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="With --chaos: seed of the fake platform.")] = 0

    @property
    def any(self) -> bool:
        """Whether one of them is selected."""
        return any((self.against, self.output, self.recorded, self.chaos))
