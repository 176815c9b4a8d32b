"""Options that several commands have."""

from enum import StrEnum
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Lang(StrEnum):
    """A language that can be asked for."""

    EN = "en"
    RU = "ru"
