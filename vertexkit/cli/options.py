"""What several commands share: options and exit codes."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from vertexkit.cli.completion import values
from vertexkit.text import Language

EXIT_FAILED = 1
"""Exit code of a command that ran and failed."""
EXIT_USAGE = 2
"""Exit code of a command that cannot run as given: options, settings or inputs are wrong."""
DEBUG_VARIABLE = "VERTEXKIT_DEBUG"
"""Environment variable that `--debug` sets, so that child processes print tracebacks too."""

APP = "The app, for example hello:app or hello.py."
DEFAULT_APP = (
    "Default: VERTEXKIT_APP; app of [tool.vertexkit] in pyproject.toml; block.py, main.py, app.py or "
    "hello.py."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="MODULE:APP",
        autocompletion=values.apps,
        help=f"{APP} {DEFAULT_APP}",
        show_default=False,
    ),
]
TargetOrBlock = Annotated[
    str | None,
    typer.Argument(
        metavar="MODULE:APP",
        autocompletion=values.apps_and_blocks,
        help=f"{APP} {DEFAULT_APP}",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[
    int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 selects a free port.")
]
TypingSeconds = Annotated[
    float,
    typer.Option(min=0, max=60, help="Seconds of simulated typing before each message."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Print full tracebacks.")]


class LanguageOption(StrEnum):
    """The values of `--lang`."""

    EN = "en"
    RU = "ru"

    @property
    def language(self) -> Language:
        """The language of the option."""
        return "ru" if self is LanguageOption.RU else "en"


class TemplateOption(StrEnum):
    """The values of `--template`."""

    PLAIN = "plain"
    LOOKUP = "lookup"
    WAITING = "waiting"
    MODEL = "model"


def set_debug(debug: bool) -> None:
    """Turn on tracebacks in this process and in its child processes."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
