"""A journal's file, opened by one process after the other."""

import shutil
from pathlib import Path

from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import LEASE
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock


class Machine:
    """A folder with a journal's file, and processes that are started and crash.

    Attributes:
        path: of the current process's file.
        clock: one for all processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lives = 0
        self.path = folder / "journal.db"
        self.clock = VirtualClock()
        self._open: list[SqliteJournal] = []

    async def start(
        self, *, unique_tokens: bool = False, retention: float = 86_400.0
    ) -> JournalDriver:
        """Start a process with the current file."""
        rules = JournalSettings(
            lease=LEASE, tokens="unique" if unique_tokens else "reused", retention=retention
        )
        driver = JournalDriver(SqliteJournal(self.path, self.clock, rules), self.clock)
        await driver.journal.open(driver)
        self._open.append(driver.journal)  # pyrefly: ignore[bad-argument-type]
        return driver

    def crash(self) -> None:
        """Crash the process: changes that are not written are lost, and the file is not closed.

        The crashed process still has the lock on its file, so the next one gets a copy.
        """
        self._open[-1]._state.close()  # a dead process has no timers
        self._lives += 1
        after = self._folder / f"journal-{self._lives}.db"
        for ending in ("", "-wal"):
            left = self.path.with_name(self.path.name + ending)
            if left.exists():
                shutil.copy(left, after.with_name(after.name + ending))
        self.path = after

    async def close(self) -> None:
        """Close all journals."""
        for journal in self._open:
            await journal.close()
        self._open.clear()
