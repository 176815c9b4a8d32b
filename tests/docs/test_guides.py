"""The guides: their code is valid, and what runs without other services is run."""

import ast
import importlib
from pathlib import Path

import pytest

from tests.docs.reader import DOCS, Reader, fences

pytestmark = pytest.mark.unmeasured

FOLLOWED = ["tutorial.md", "tutorial.ru.md", "testing.md", "testing.ru.md", "migration.md"]
"""Pages whose files are saved and whose commands are run. The Russian page on migration has the same
code as the English one, which tests/docs/test_pages.py compares."""


@pytest.mark.parametrize("page", FOLLOWED)
def test_its_commands_print_what_it_shows(reader: Reader, page: str) -> None:
    """In an empty folder, with the files of the page, each command prints what the page shows."""
    reader.follow(DOCS / page)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_its_code_is_valid(page: Path) -> None:
    """Every block of Python can be parsed, and has only names of vertexkit that exist."""
    for fence in fences(page):
        if fence.language == "python":
            for node in ast.walk(ast.parse(fence.text)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vertexkit"):
                    module = importlib.import_module(node.module or "")
                    missing = [name.name for name in node.names if not hasattr(module, name.name)]
                    assert not missing, f"{node.module} has no {missing}"
