"""docs/operations: its commands exist, with the options shown."""

import os
import re
import shlex
import subprocess
from functools import cache

import pytest

from tests import forked
from tests.docs.reader import DOCS

pytestmark = pytest.mark.unmeasured

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


@cache
def help_of(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with --help, once for both pages."""
    return forked.run(
        "vertexkit", [*command.split(), "--help"], folder=DOCS, environment=os.environ
    )


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_exist(page: str) -> None:
    """Each command takes the options that the page shows."""
    named = commands(page)
    assert {"executions list", "executions show", "executions retry", "executions drop"} <= set(
        named
    )
    for name, options in named.items():
        result = help_of(name)
        assert result.returncode == 0, result.stderr
        assert not [option for option in options if option not in result.stdout], name
