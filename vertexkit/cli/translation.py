"""The language of the command line: what it prints is in the language of the locale.

Source texts are English; `locale/` has a catalogue of gettext for each other language. Help texts are
translated when a command is built, sentences where they are printed. Errors, and the findings of a
check, are English sentences, as the log, the library and `--json` have them; the command line
recognises the templates of the catalogue in them when it prints them. Names that options and
`--json` use (states, columns, events) are the same in every language.
"""

import gettext
import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

from vertexkit.text import Language

Phrase: TypeAlias = Callable[..., str]
"""Makes a text of an English one and its values: `translate` for people, `fill` for `--json`."""
LANGUAGE_VARIABLE = "VERTEXKIT_LANG"
"""Selects the language of the command line; it overrides the locale."""
DOMAIN = "vertexkit"
FOLDER = Path(__file__).with_name("locale")
PLACEHOLDER = re.compile(r"\{(\d)\}")
"""The place of a value in a template."""
REFERENCE = re.compile(r" \[VK-\d+\]$")
"""The code of an error at the end of its sentence."""


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


def translate(text: str, *values: object) -> str:
    """Translate a text of the catalogue; another one is returned unchanged.

    Args:
        text: The English text, with {0}, {1} in the place of the values.
        *values: Are put into their places. Without values, braces are left as they are.
    """
    translated = _catalogue().gettext(text) if text else text
    return translated.format(*values) if values else translated


def fill(text: str, *values: object) -> str:
    """Put values into a text without translating it, for `--json`: a `Phrase`.

    Args:
        text: The English text, with {0}, {1} in the place of the values.
        *values: Are put into their places.
    """
    return text.format(*values) if values else text


def translate_count(number: int, one: str, many: str, *values: object) -> str:
    """Translate a text about a number of things.

    Args:
        number: The number; is {0} in the texts.
        one: The text for 1.
        many: The text for the other numbers.
        *values: {1} and so on.
    """
    return translate(one if number == 1 else many, number, *values)


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
    command.format_usage = partial(_format_usage, command)
    for inner in getattr(command, "commands", {}).values():
        translate_command(inner)
    return command


def _format_usage(command: Any, context: Any, formatter: Any) -> None:
    """Write the line that starts with `Usage:`, which typer has in English only."""
    pieces = [translate(piece) for piece in command.collect_usage_pieces(context)]
    formatter.write_usage(context.command_path, " ".join(pieces), f"{translate('Usage:')} ")


def translate_sentence(text: str) -> str:
    """Translate an English sentence that was composed elsewhere: an error, a finding.

    Args:
        text: The sentence. A value in it may itself be a sentence of the catalogue.

    Returns:
        The translation; the unchanged text if the catalogue has no template for it.
    """
    if (found := REFERENCE.search(text)) is not None:
        return translate_sentence(text[: found.start()]) + found[0]
    if " " not in text:  # a name: the catalogue also has single words, which are other texts
        return text
    for template, fixed in _templates():
        if all(part in text for part in fixed) and (found := _pattern(template).fullmatch(text)):
            numbers = PLACEHOLDER.findall(template)
            return _fill(translate(template), dict(zip(numbers, found.groups(), strict=True)))
    return text


def _fill(template: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: translate_sentence(values[match[1]]), template)


def _translate_parameter(parameter: Any) -> None:
    parameter.help = translate(getattr(parameter, "help", None) or "")
    if isinstance(getattr(parameter, "show_default", None), str):
        parameter.show_default = translate(parameter.show_default)


@cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, [terminal_language()], fallback=True)


@cache
def _templates() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The texts of the catalogue with their fixed parts, those with the longest parts first."""
    texts = getattr(_catalogue(), "_catalog", {})  # the reader of .mo files that Python has
    templates = [(text, tuple(PLACEHOLDER.split(text)[::2])) for text in texts if " " in text]
    return tuple(sorted(templates, key=_priority))


def _priority(template: tuple[str, tuple[str, ...]]) -> tuple[int, bool]:
    """The order in which templates are tried; a list is taken apart last."""
    text, fixed = template
    return -sum(map(len, fixed)), "," in text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    fixed = map(re.escape, PLACEHOLDER.split(template)[::2])
    return re.compile("(.*?)".join(fixed), re.DOTALL)
