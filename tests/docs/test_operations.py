"""docs/operations: its commands exist, with the options shown."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests import forked
from tests.docs.reader import DOCS

PAGES = ["operations.md", "operations.ru.md"]
COMMAND = re.compile(r"vertexkit ((?:executions )?[a-z]+)([^`\n]*)")


def commands(page: str) -> dict[str, set[str]]:
    """Return each command that a page names, with the options shown with it."""
    commands: dict[str, set[str]] = {}
    for name, rest in COMMAND.findall((DOCS / page).read_text(encoding="utf-8")):
        if name.split()[0] in {"check", "health", "run", "executions"}:
            options = {word for word in shlex.split(rest) if word.startswith("--")}
            commands.setdefault(name, set()).update(options)
    return commands


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_exist(page: str, tmp_path: Path) -> None:
    """Each command takes the options that the page shows."""
    named = commands(page)
    assert {"executions list", "executions show", "executions retry", "executions drop"} <= set(
        named
    )
    for name, options in named.items():
        result = forked.run(
            "vertexkit", [*name.split(), "--help"], folder=tmp_path, environment=os.environ
        )
        assert result.returncode == 0, result.stderr
        assert not [option for option in options if option not in result.stdout], name
