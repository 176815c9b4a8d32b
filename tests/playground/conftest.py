"""Fixtures with a running `vertexkit dev`."""

import pytest

from tests.cli.shell import Shell
from tests.playground.dev import Dev


@pytest.fixture
def dev(shell: Shell) -> Dev:
    """`vertexkit dev` with the block `hello`."""
    return Dev(shell, "hello:app")
