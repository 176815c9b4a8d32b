"""The page of dialogs: its table of fifteen methods is true, and what it shows happens."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from vertexkit import BotOne, Context
from vertexkit.cli.main import cli
from vertexkit.testing.platform.openapi import describe

ROOT = Path(__file__).parents[2]
PAGES = ["dialogs.md", "dialogs.ru.md"]
ROW = re.compile(
    r"^\| (\d+) \| `(\w+) (\S+)` \| `([\w.]+)` \| `vertexkit ([\w -]+)` \| "
    r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\) \|$",
    re.MULTILINE,
)
Row = tuple[str, str, str, str, str, str, str]


def rows(page: str = PAGES[0]) -> list[Row]:
    return ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def numbered(row: Row) -> str:
    return row[0]


def test_the_table_holds_the_fifteen() -> None:
    """Numbered in their order, with the verbs and paths that the fake platform answers."""
    found = rows()
    assert [int(row[0]) for row in found] == list(range(1, 16))
    played = {
        (verb.upper(), re.sub(r"{\w+}", "{}", path))
        for path, item in describe("")["paths"].items()
        for verb in item
    }
    assert {(row[1], re.sub(r"{\w+}", "{}", row[2])) for row in found} == played


@pytest.mark.parametrize("row", rows(), ids=numbered)
def test_each_client_call_is_there(row: Row) -> None:
    """Its name can be called on a client or a context."""
    bot = BotOne("http://127.0.0.1:9/api", "a", "b")
    at: Any = {"bot": bot, "ctx": Context}[row[3].partition(".")[0]]
    for name in row[3].split(".")[1:]:
        at = getattr(at, name)
    assert callable(at)


@pytest.mark.parametrize("row", rows(), ids=numbered)
def test_each_command_is_there(row: Row) -> None:
    """Its name is a command, and it takes the options that are shown with it."""
    words = row[4].split()
    at: Any = get_command(cli)
    while words and not words[0].startswith("-"):
        at = at.commands[words.pop(0)]
    options = {name for parameter in at.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("row", rows(), ids=numbered)
def test_each_test_is_there(row: Row) -> None:
    """The linked file has a test of this name."""
    tree = ast.parse((ROOT / row[6]).read_text(encoding="utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    assert row[5] in {node.name for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.parametrize("page", PAGES)
def test_it_does_what_it_says(reader: Any, page: str) -> None:
    """Every file of the page runs, and every command prints what is shown."""
    reader.follow(ROOT / "docs" / page)
    assert (reader.folder / "report.html").is_file()


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, names, links and table as the English one."""
    english, russian = (pages.skeleton(ROOT / "docs" / page) for page in PAGES)
    assert english == russian
    assert rows(PAGES[0]) == rows(PAGES[1])


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(ROOT / "docs" / page)
