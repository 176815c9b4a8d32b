"""docs/dialogs: the table of methods is correct, and its examples run as shown."""

import re
from typing import Any

import pytest
from typer.main import get_command

from tests.docs.reader import ROOT, Reader
from vertexkit import BotOne, Context
from vertexkit.cli.main import cli
from vertexkit.testing.platform.openapi import openapi_document

PAGES = ["dialogs.md", "dialogs.ru.md"]
ROW = re.compile(
    r"^\| (\d+) \| `(\w+) (\S+)` \| `([\w.]+)` \| `vertexkit ([\w -]+)` \| "
    r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\) \|$",
    re.MULTILINE,
)
Row = tuple[str, str, str, str, str, str, str]


def rows(page: str = PAGES[0]) -> list[Row]:
    """Return the rows of the table of methods."""
    return ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def row_number(row: Row) -> str:
    """Return the number of a method."""
    return row[0]


def test_the_table_lists_the_fifteen_methods() -> None:
    """They are numbered in order, with the verbs and paths that the fake platform serves."""
    found = rows()
    assert [int(row[0]) for row in found] == list(range(1, 16))
    served = {
        (verb.upper(), re.sub(r"{\w+}", "{}", path))
        for path, item in openapi_document("")["paths"].items()
        for verb in item
    }
    assert {(row[1], re.sub(r"{\w+}", "{}", row[2])) for row in found} == served


@pytest.mark.parametrize("row", rows(), ids=row_number)
def test_each_client_call_exists(row: Row) -> None:
    """The client or the context has a method of that name."""
    bot = BotOne("http://127.0.0.1:9/api", "a", "b")
    target: Any = {"bot": bot, "ctx": Context}[row[3].partition(".")[0]]
    for name in row[3].split(".")[1:]:
        target = getattr(target, name)
    assert callable(target)


@pytest.mark.parametrize("row", rows(), ids=row_number)
def test_each_command_exists(row: Row) -> None:
    """The command exists and takes the options shown with it."""
    words = row[4].split()
    command: Any = get_command(cli)
    while words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("row", rows(), ids=row_number)
def test_each_test_exists(row: Row) -> None:
    """The linked file contains a test of that name."""
    text = (ROOT / row[6]).read_text(encoding="utf-8")
    assert row[5] in re.findall(r"^(?:async )?def (\w+)\(", text, re.MULTILINE)


@pytest.mark.unmeasured
@pytest.mark.parametrize("page", PAGES)
def test_its_examples_run_as_shown(reader: Reader, page: str) -> None:
    """Every file of the page runs, and every command prints what the page shows."""
    reader.follow(ROOT / "docs" / page)
    assert (reader.folder / "report.html").is_file()


def test_both_languages_show_the_same_table() -> None:
    """The rows of the fifteen methods are the same in both languages."""
    assert rows(PAGES[0]) == rows(PAGES[1])
