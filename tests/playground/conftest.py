"""Fixtures with a running `vertexkit dev`."""

import signal
from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell
from tests.playground.dev import Dev


@pytest.fixture
def dev(shell: Shell) -> Iterator[Dev]:
    """`vertexkit dev` with the block `hello`; it ends by itself, so that its coverage is written."""
    dev = Dev(shell, "hello:app")
    yield dev
    dev.process.end(signal.SIGINT)


@pytest.fixture(scope="module")
def shared_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`vertexkit dev` of all tests of a file that change no file and look at their own run only."""
    shell = Shell(tmp_path_factory.mktemp("dev"))
    dev = Dev(shell, "hello:app", forks=False)
    yield dev
    dev.process.end(signal.SIGINT)
    shell.close()
