"""The language of the command line."""

import re
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.translations import (
    catalogues,
    compile_catalogue,
    error_templates,
    help_texts,
    read_catalogue,
    texts_of_typer,
)
from vertexkit.cli import translation
from vertexkit.cli.error_templates import ERROR_TEMPLATES

PLACEHOLDER = re.compile(r"\{[\w!]*\}")
SOURCES = {
    "help": help_texts,
    "typer": texts_of_typer,
    "errors": error_templates,
}


@pytest.mark.parametrize("file", catalogues(), ids=str)
@pytest.mark.parametrize("source", SOURCES)
def test_every_text_is_translated(file: Path, source: str) -> None:
    """A text that is new in the sources needs a translation in each catalogue."""
    catalogue = read_catalogue(file)
    missing = [text for text in dict.fromkeys(SOURCES[source]()) if not catalogue.get(text)]
    assert not missing, "add them, then run: python -m tests.translations"


@pytest.mark.parametrize("file", catalogues(), ids=str)
def test_a_translation_has_the_placeholders_of_its_source(file: Path) -> None:
    """Each value of a text, each option and each variable is in its translation."""
    for text, translated in read_catalogue(file).items():
        for pattern in (PLACEHOLDER, re.compile(r"--[a-z-]+|VERTEXKIT_[A-Z_]+[A-Z]")):
            assert sorted(set(pattern.findall(text))) == sorted(set(pattern.findall(translated)))


@pytest.mark.parametrize("file", catalogues(), ids=str)
def test_the_compiled_catalogue_is_the_written_one(file: Path) -> None:
    """The command reads the .mo file, people the .po file."""
    assert file.with_suffix(".mo").read_bytes() == compile_catalogue(read_catalogue(file))


def test_the_templates_of_errors_are_those_of_the_sources() -> None:
    """An error whose text has changed would be printed in English."""
    assert set(error_templates()) <= set(ERROR_TEMPLATES)


@pytest.fixture
def russian(monkeypatch: pytest.MonkeyPatch) -> None:
    """The language of the terminal is Russian."""
    monkeypatch.setenv("VERTEXKIT_LANG", "ru")
    translation._catalogue.cache_clear()
    monkeypatch.setattr(translation, "_catalogue", translation._catalogue.__wrapped__)


def test_an_error_is_translated_with_its_values(russian: None) -> None:
    """The values of an error, and a suggestion in it, are in their places."""
    error = "there is no block 'helo'. Did you mean hello? The app has: hello, bye"
    assert translation.translate_error(error) == (
        "нет блока 'helo'. Возможно, вы имели в виду hello? В приложении есть: hello, bye"
    )
    assert translation.translate_error("an error of a plugin") == "an error of a plugin"


def test_help_and_errors_are_in_the_language_of_the_locale(shell: Shell) -> None:
    """LANG selects the language, and VERTEXKIT_LANG overrides it."""
    done = shell.run("trigger", "hello.py", "helo", lang="ru")
    assert "нет блока 'helo'. Возможно, вы имели в виду hello?" in done.stderr
    assert "[VK-102]" in done.stderr
    shown = shell.run("trigger", "--help", lang="ru").stdout
    for text in ("Параметры", "Аргументы", "Входное значение блока", "Показать эту справку"):
        assert text in shown
    assert "Input of the block" in shell.run("trigger", "--help", lang="en").stdout


@pytest.mark.parametrize(
    "variables, language",
    [
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "VERTEXKIT_LANG": "en"}, "en"),
        ({"LANG": "de_DE.UTF-8", "VERTEXKIT_LANG": "ru"}, "ru"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_first_variable(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VERTEXKIT_LANG, LC_ALL, LC_MESSAGES, LANG."""
    for name in ("VERTEXKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert translation.terminal_language() == language
