"""What several commands share: options and exit codes."""

import os
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from vertexkit.cli.completion import values
from vertexkit.text import Language

EXIT_FAILED = 1
"""Exit code of a command that ran and failed."""
EXIT_USAGE = 2
"""Exit code of a command that cannot run as given: options, settings or inputs are wrong."""
EXIT_INTERRUPTED = 130
"""Exit code of a command that a signal of Ctrl+C has ended, as in shells."""
DEBUG_VARIABLE = "VERTEXKIT_DEBUG"
"""Environment variable that `--debug` sets, so that child processes print tracebacks too."""

APP = "The app, for example hello:app or hello.py."
DEFAULT_APP = (
    "Default: VERTEXKIT_APP; the app in pyproject.toml; block.py, main.py, app.py or hello.py."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
PlatformHost = Annotated[
    str,
    typer.Option(
        help="With --url: address on which the fake platform listens; 0.0.0.0 for a service in "
        "a container."
    ),
]


def app_argument(complete: Callable[[str], Iterable[str]], default: str = DEFAULT_APP) -> Any:
    """Describe the argument that names the app.

    Args:
        complete: completes what has been typed of it.
        default: sentence that says which app it is without the argument.
    """
    return typer.Argument(
        metavar="MODULE:APP", autocompletion=complete, help=f"{APP} {default}", show_default=False
    )


def block_argument(text: str) -> Any:
    """Describe the argument that names a block.

    Args:
        text: for the help.
    """
    return typer.Argument(
        metavar="BLOCK", autocompletion=values.blocks, help=text, show_default=False
    )


Target = Annotated[str | None, app_argument(values.apps)]
TargetOrBlock = Annotated[str | None, app_argument(values.apps_and_blocks)]
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
