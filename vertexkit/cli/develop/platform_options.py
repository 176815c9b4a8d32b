"""The options of `vertexkit platform`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from vertexkit.cli.options import Json


class Tokens(StrEnum):
    """The values of `--tokens`."""

    ANY = "any"
    ISSUED = "issued"


class UpdatedBy(StrEnum):
    """The values of `--updated-by`."""

    USER = "user"
    ANYBODY = "anybody"


@dataclass(frozen=True)
class PlatformOptions:
    """How the fake platform behaves, and what it prints."""

    typing: Annotated[
        float,
        typer.Option(min=0, max=60, help="Seconds of simulated typing before each message."),
    ] = 0.7
    dialogs: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Number of dialogs to generate at startup.")
    ] = 200
    seed: Annotated[int, typer.Option(help="Seed for the generated tokens and dialogs.")] = 0
    tokens: Annotated[
        Tokens,
        typer.Option(
            help="Accept any token, or only those that its page /token has issued, as a real platform."
        ),
    ] = Tokens.ANY
    updated_by: Annotated[
        UpdatedBy,
        typer.Option(
            help="Whose last message is the update of a dialog, for the filters; the document describes both."
        ),
    ] = UpdatedBy.USER
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print requests.")] = False
    as_json: Json = False
