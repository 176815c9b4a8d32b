"""A journal's file, opened by one process after the other."""

import shutil
from pathlib import Path

from tests.journal.conftest import JournalDriver
from tests.journal.shared.served_journal import LEASE
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock


class Machine:
    """A folder with a journal's file, and processes that come and go.

    Attributes:
        path: of the file that the process of now has.
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
        """A process begins on the file as it is."""
        rules = JournalSettings(
            lease=LEASE, tokens="unique" if unique_tokens else "reused", retention=retention
        )
        driver = JournalDriver(SqliteJournal(self.path, self.clock, rules), self.clock)
        await driver.journal.open(driver)
        self._open.append(driver.journal)  # type: ignore[arg-type]
        return driver

    def crash(self) -> None:
        """The process is gone: what it has not written is lost, and nobody closes its file.

        It still has the lock on its own file, so the next one gets what it left as a copy.
        """
        self._open[-1]._state.close()  # a dead process waits for no time
        self._lives += 1
        after = self._folder / f"journal-{self._lives}.db"
        for ending in ("", "-wal"):
            left = self.path.with_name(self.path.name + ending)
            if left.exists():
                shutil.copy(left, after.with_name(after.name + ending))
        self.path = after

    async def close(self) -> None:
        """End all processes."""
        for journal in self._open:
            await journal.close()
        self._open.clear()
