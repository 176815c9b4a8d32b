"""The options of `vertexkit check` that select further checks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


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

    @property
    def any(self) -> bool:
        """Whether one of them is selected."""
        return self.against is not None or self.output is not None
