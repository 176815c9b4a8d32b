"""The language of the command line: help texts and errors in the language of the locale.

Source texts are English; `locale/` has a catalogue of gettext for each other language. Help texts are
translated when a command is built. Errors are raised in English, as the log and the library have them;
the command line recognises their templates when it prints them.
"""

import gettext
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vertexkit.cli.error_templates import ERROR_TEMPLATES
from vertexkit.text import Language

LANGUAGE_VARIABLE = "VERTEXKIT_LANG"
"""Selects the language of the command line; it overrides the locale."""
DOMAIN = "vertexkit"
FOLDER = Path(__file__).with_name("locale")
PLACEHOLDER = re.compile(r"\{(\d)\}")
"""The place of a value in the template of an error."""


def terminal_language() -> Language:
    """The language of the terminal.

    Returns:
        "ru" if the first of VERTEXKIT_LANG, LC_ALL, LC_MESSAGES and LANG that is set starts with
        "ru", else "en".
    """
    for name in (LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"


def use_language() -> None:
    """Let typer, which prints its own texts with gettext, use the language of the terminal."""
    if os.environ.get(LANGUAGE_VARIABLE):
        os.environ["LANGUAGE"] = terminal_language()
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


def translate(text: str) -> str:
    """Translate a text of the catalogue; another one is returned unchanged."""
    return _catalogue().gettext(text) if text else text


def translate_command(command: Any) -> Any:
    """Translate the help texts of a command, of its options and of the commands in it."""
    command.help = translate(command.help or "")
    for parameter in command.params:
        _translate_parameter(parameter)
    help_option = command.get_help_option

    def translated_help_option(context: Any) -> Any:
        option = help_option(context)
        if option is not None:
            _translate_parameter(option)
        return option

    command.get_help_option = translated_help_option
    for inner in getattr(command, "commands", {}).values():
        translate_command(inner)
    return command


def translate_error(text: str) -> str:
    """Translate the message of an error whose template is in the catalogue."""
    for pattern, template in _error_patterns():
        if (found := pattern.fullmatch(text)) is not None:
            numbers = PLACEHOLDER.findall(template)
            return _fill(translate(template), dict(zip(numbers, found.groups(), strict=True)))
    return text


def _fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template; a value may itself be a text of the catalogue."""
    return PLACEHOLDER.sub(lambda match: translate_error(values[match[1]]), template)


def _translate_parameter(parameter: Any) -> None:
    parameter.help = translate(getattr(parameter, "help", None) or "")
    if isinstance(getattr(parameter, "show_default", None), str):
        parameter.show_default = translate(parameter.show_default)


@cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [terminal_language()], fallback=True)


@cache
def _error_patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The templates, those with the longest fixed texts first, as patterns."""
    by_length = sorted(ERROR_TEMPLATES, key=lambda text: -len(PLACEHOLDER.sub("", text)))
    return tuple((_pattern(template), template) for template in by_length)


def _pattern(template: str) -> re.Pattern[str]:
    fixed = map(re.escape, PLACEHOLDER.split(template)[::2])
    return re.compile("(.*?)".join(fixed), re.DOTALL)
