"""Fixtures with a running `vertexkit dev`."""

from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell
from tests.playground.dev import Dev


@pytest.fixture
def dev(shell: Shell) -> Dev:
    """`vertexkit dev` with the block `hello`."""
    return Dev(shell, "hello:app")


@pytest.fixture(scope="module")
def shared_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`vertexkit dev` of all tests of a file that change no file and look at their own run only."""
    shell = Shell(tmp_path_factory.mktemp("dev"))
    yield Dev(shell, "hello:app")
    shell.close()
