"""docs/guarantee: each promise links to an existing test."""

import re
from pathlib import Path

import pytest

from tests.docs.reader import DOCS, ROOT, Reader

pytestmark = pytest.mark.unmeasured

PAGES = ["guarantee.md", "guarantee.ru.md"]
PROOF = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
FUNCTION = re.compile(r"^(?:async )?def (\w+)\(", re.MULTILINE)
ROW = re.compile(r"^\| .+\. \| (.+) \|$", re.MULTILINE)


def functions_in(path: Path) -> set[str]:
    """Return the names of the functions of a file of tests."""
    return set(FUNCTION.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES)
def test_each_promise_links_to_its_test(page: str) -> None:
    """Every promise links to a test by name, and the linked file contains that test."""
    text = (DOCS / page).read_text(encoding="utf-8").partition("\n## ")[2].partition("\n## ")[0]
    rows = ROW.findall(text)
    assert len(rows) == 20
    assert all(PROOF.search(row) for row in rows)
    for name, file in PROOF.findall(text):
        assert name in functions_in(ROOT / file), file


@pytest.mark.parametrize("page", PAGES)
def test_its_block_runs(reader: Reader, page: str) -> None:
    """The block of the page runs and charges once."""
    reader.follow(DOCS / page)
    output = reader.run_in(reader.folder, "vertexkit trigger payment:app -i card=4 --fast --json")
    assert "charged once for" in output
