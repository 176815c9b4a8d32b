"""The page of the guarantee: each promise has a test that is there."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["guarantee.md", "guarantee.ru.md"]
PROOF = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
ROW = re.compile(r"^\| .+\. \| (.+) \|$", re.MULTILINE)


def named_in(path: Path) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.parametrize("page", PAGES)
def test_each_promise_has_its_proof(page: str) -> None:
    """Every row of the promises links a test by its name, and the file has a test of that name."""
    text = (DOCS / page).read_text(encoding="utf-8").partition("\n## ")[2].partition("\n## ")[0]
    rows = ROW.findall(text)
    assert len(rows) == 15
    assert all(PROOF.search(row) for row in rows)
    for name, place in PROOF.findall(text):
        assert name in named_in(DOCS.parent / place), place


@pytest.mark.parametrize("page", PAGES)
def test_its_block_runs(reader: Any, page: str) -> None:
    """The block that the page shows can be served and does what it says."""
    reader.follow(DOCS / page)
    said = reader.run_in(reader.folder, "vertexkit trigger payment:app -i card=4 --fast --json")
    assert "charged once for" in said


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, names and links as the English one."""
    english, russian = (pages.skeleton(DOCS / page) for page in PAGES)
    assert english == russian


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(DOCS / page)
