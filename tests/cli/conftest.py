"""Fixtures that run the command `vertexkit` as a process."""

import pytest

from tests.cli.shell import Process, Shell


@pytest.fixture
def platform(shell: Shell) -> Process:
    """A running `vertexkit platform`."""
    process = shell.start("platform", "--port", "0", "--typing", "0", "--json")
    process.wait_for("-H 'content-type: application/json'")
    return process
