"""A machine whose disk is slow or full, and outcomes to write to it."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.chaos.machine import Disk, Machine, ManualClock
from tests.journal.driver import JournalDriver
from vertexkit.execution import Effect, Outcome, OutcomeStatus
from vertexkit.journal.sqlite import schema
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

INTENT = Effect(0, "send", "abc")
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")


class SlowMachine(Machine):
    """A machine whose disk can be held, and on which the power can be cut.

    Attributes:
        disk: of the machine.
        driver: of the current process's journal.
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        super().__init__(folder, disk, ManualClock(), JournalSettings())
        self.disk = disk
        self.driver: JournalDriver

    async def boot(self) -> JournalDriver:
        """Start a process with the current file."""
        await self.start(pytest.fail)
        self.driver = JournalDriver(self.journal, VirtualClock())
        return self.driver

    async def cut_power(self) -> JournalDriver:
        """Lose all that is not surely on the disk, and start the next process."""
        await self.rest()
        await self.die(power=True, part=0.0)
        return await self.boot()

    async def hold(self) -> None:
        """Hold the disk in the middle of a commit, so that what is written now is in the next."""
        self.disk.hold()
        self.journal._writer.write(schema.NO_CHANGE, ())
        await self.disk.stuck.wait()


class FullOnce:
    """Commits to a disk that is full for one commit.

    Args:
        disk: of the machine.
        passed: commits before that one.
    """

    def __init__(self, disk: Disk, passed: int = 0) -> None:
        self._commit = disk._commit
        self._until_full = passed

    def __call__(self, connection: sqlite3.Connection) -> None:
        self._until_full -= 1
        if self._until_full == -1:
            connection.rollback()
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        self._commit(connection)


async def turns() -> None:
    """Let everything happen that does not wait for the disk."""
    for _ in range(20):
        await asyncio.sleep(0)
