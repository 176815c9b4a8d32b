"""The language of the command line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.translations import (
    catalogues,
    compile_catalogue,
    error_templates,
    help_texts,
    printed_texts,
    read_catalogue,
    sentences,
    texts_of_typer,
    untranslated_sentences,
)
from vertexkit.cli import translation
from vertexkit.testing.platform.query import read_query
from vertexkit.testing.platform.request_body import validate_body

PLACEHOLDER = re.compile(r"\{[\w!]*\}")
PLURAL = re.compile(r"(?<=[a-z])\{\d\}")
"""The ending of an English plural, which may be missing in a translation."""
JSON = "application/json"
SOURCES = {
    "help": help_texts,
    "typer": texts_of_typer,
    "printed": printed_texts,
    "sentences": sentences,
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
    names = re.compile(r"--[a-z-]+|VERTEXKIT_[A-Z_]+[A-Z]")
    for text, translated in read_catalogue(file).items():
        values = set(PLACEHOLDER.findall(translated))
        assert set(PLACEHOLDER.findall(PLURAL.sub("", text))) <= values, text
        assert values <= set(PLACEHOLDER.findall(text)), text
        assert set(names.findall(text)) == set(names.findall(translated)), text


@pytest.mark.parametrize("file", catalogues(), ids=str)
def test_the_compiled_catalogue_is_the_written_one(file: Path) -> None:
    """The command reads the .mo file, people the .po file."""
    assert file.with_suffix(".mo").read_bytes() == compile_catalogue(read_catalogue(file))


def test_a_command_translates_what_it_prints() -> None:
    """A sentence that is printed without `translate` would be English in every language."""
    assert list(untranslated_sentences()) == []


@pytest.fixture
def russian(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language of the terminal is Russian."""
    monkeypatch.setenv("VERTEXKIT_LANG", "ru")
    caches = (translation._catalogue, translation._templates)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(
    "sentence, translated",
    [
        (
            "there is no block 'helo'. Did you mean hello? The app has: hello, bye",
            "нет блока 'helo'. Возможно, вы имели в виду hello? В приложении есть: hello, bye",
        ),
        (
            "VERTEXKIT_PORT must be a valid integer; VERTEXKIT_LEASE must be greater than 0",
            "VERTEXKIT_PORT должна быть целым числом; VERTEXKIT_LEASE должна быть больше 0",
        ),
        (
            "http://127.0.0.1:8000 is not ready: queue full, event loop blocked",
            "http://127.0.0.1:8000 не готов: очередь заполнена, цикл событий заблокирован",
        ),
        ("amount: Input should be a valid integer", "amount: нужно целое число"),
        (
            "request 3: complete: the block was already completed by request 2",
            "запрос 3: complete: блок уже завершён запросом 2",
        ),
        (
            "request 1: GET /x: unknown path; the paths are: complete POST /y, v1.create GET /z",
            "запрос 1: GET /x: неизвестный путь; пути: complete POST /y, v1.create GET /z",
        ),
        ("503 to the completion, twice", "503 на завершение, дважды"),
        ("lost answer to message 2", "потерян ответ на сообщение 2"),
        ("an error of a plugin", "an error of a plugin"),
        ("required", "required"),
    ],
)
def test_a_sentence_is_translated_with_its_values(
    sentence: str, translated: str, russian: None
) -> None:
    """The values of a sentence are in their places, and those that are sentences are translated."""
    assert translation.translate_sentence(sentence) == translated


INVALID_BODIES = (
    b"\xff",
    b"[]",
    b"{",
    b'{"token": NaN}',
    b'{"token": "T", "token": "T"}',
    b'{"token": "T", "text": 5, "typing": null, "x": 1}',
    b'{"token": "", "text": "\\ud83d", "typing": true}',
)
QUERIES = (
    "PageNumber=0&x=1",
    "BotID=a&BotID=1",
    "CreatedFrom=2023 05",
    "CreatedTo=2023-02-30",
    "a=%ff",
)
TERMS = re.compile(
    r"`[^`]+`|'[^']*'|[\w.]+: |application/json|Expecting property name .*(?=\))|\d[\dT:+-]+"
)
"""Names, values and a sentence of Python."""


def test_violations_of_the_platforms_rules_are_translated(russian: None) -> None:
    """Whatever is wrong with a request, the sentence about it has no English word."""
    violations = [
        problem
        for body in INVALID_BODIES
        for problem in validate_body("send_message", "text/plain", body)[1]
    ]
    violations += validate_body("complete", JSON, b'{"token": "T", "data": []}')[1]
    violations += validate_body("v2.goto", JSON, b'{"body": "go"}')[1]
    for query in QUERIES:
        violations += read_query("v2.conversations", query.encode())[1]
    violations += read_query("v2.create_and_start", b"response=1&variables=5")[1]
    assert len(violations) > 20
    for violation in violations:
        translated = TERMS.sub("", translation.translate_sentence(violation))
        words = set(re.findall(r"[A-Za-z]{3,}", translated)) - {"JSON", "UTF", "ISO", "NaN"}
        assert not words - {"true", "false", "null"}, violation


def test_help_and_errors_are_in_the_language_of_the_locale(shell: Shell) -> None:
    """LANG selects the language, and VERTEXKIT_LANG overrides it."""
    done = shell.run("trigger", "hello.py", "helo", lang="ru")
    assert "нет блока 'helo'. Возможно, вы имели в виду hello?" in done.stderr
    assert "[VK-102]" in done.stderr
    shown = shell.run("trigger", "--help", lang="ru").stdout
    for text in ("Параметры", "Аргументы", "Входное значение блока", "Показать эту справку"):
        assert text in shown
    assert re.search(r"Вызов: .* trigger \[ПАРАМЕТРЫ\]", shown)
    assert "<bool>" not in shown, "a flag takes no value"
    words = shell.run("trigger", "--inpt", lang="ru").stderr.replace("│", "").split()
    assert "Нет параметра --inpt (похожие: --edit, --event, --input) [VK-003]" in " ".join(words)
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
