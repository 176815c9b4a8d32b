"""What several commands share: options, exit codes, and the language of the terminal."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from vertexkit.text import Language

EXIT_FAILED = 1
"""Exit code of a command that ran and failed."""
EXIT_USAGE = 2
"""Exit code of a command that cannot run as given: options, settings or inputs are wrong."""
DEBUG_VARIABLE = "VERTEXKIT_DEBUG"
"""Environment variable that `--debug` sets, so that child processes print tracebacks too."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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


def terminal_language() -> Language:
    """The language of the terminal's locale.

    Returns:
        "ru" if the first of LC_ALL, LC_MESSAGES and LANG that is set starts with "ru", else "en".
    """
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"
