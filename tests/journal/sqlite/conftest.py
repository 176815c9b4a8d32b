"""Machines with a journal in a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.machine import Disk
from tests.journal.sqlite.restarts import Machine
from tests.journal.sqlite.slow_machine import SlowMachine


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A machine whose service can be started again and again."""
    machine = Machine(tmp_path)
    yield machine
    await machine.close()


@pytest.fixture
async def slow_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SlowMachine]:
    """A running machine whose disk can be held."""
    machine = SlowMachine(tmp_path, Disk(monkeypatch))
    await machine.boot()
    yield machine
    await machine.release_dead_process()
