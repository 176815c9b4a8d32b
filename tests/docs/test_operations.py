"""The operator's page: its commands are there, in both languages."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["operations.md", "operations.ru.md"]
COMMAND = re.compile(r"vertexkit ((?:executions )?[a-z]+)([^`\n]*)")


def commands(page: str) -> dict[str, set[str]]:
    """Each command that a page names, with the options that it is given."""
    found: dict[str, set[str]] = {}
    for name, rest in COMMAND.findall((DOCS / page).read_text(encoding="utf-8")):
        if name.split()[0] in {"check", "health", "run", "executions"}:
            options = {word for word in shlex.split(rest) if word.startswith("--")}
            found.setdefault(name, set()).update(options)
    return found


def test_its_commands_are_there() -> None:
    """Each command takes the options that the page gives it."""
    named = commands(PAGES[0])
    assert {"executions list", "executions show", "executions retry", "executions drop"} <= set(
        named
    )
    for name, options in named.items():
        done = subprocess.run(
            [sys.executable, "-m", "vertexkit", *name.split(), "--help"],
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert not [option for option in options if option not in done.stdout], name


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, names and links as the English one."""
    english, russian = (pages.skeleton(DOCS / page) for page in PAGES)
    assert english == russian


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(DOCS / page)
