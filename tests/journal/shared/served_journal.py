"""A journal that one process has and others use: the owner and its guests, in one loop."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.journal.shared.client import RemoteJournal
from vertexkit.journal.shared.server import Owner
from vertexkit.journal.shared.socket import offering
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings

LEASE = 30.0


class House:
    """The owner of an SQLite file, listening.

    Attributes:
        journal: the file's.
        socket: where it listens.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self.journal = SqliteJournal(file, clock, JournalSettings(lease=LEASE))
        self.owner = Owner(self.journal)
        self.socket = Path()
        self._file = file
        self._place = ExitStack()

    async def open(self) -> None:
        """Open the file and let others in."""
        await self.journal.open(self.owner.ready, self.owner.broke)
        listener, self.socket = self._place.enter_context(offering(self._file))
        await self.owner.listen(listener)

    async def close(self) -> None:
        """End as a service does."""
        await self.owner.close()
        await self.journal.close()
        self._place.close()


class Shared(RemoteJournal):
    """A guest's journal that brings its owner along."""

    def __init__(self, file: Path, clock: Clock) -> None:
        super().__init__(Path())
        self.house = House(file, clock)

    async def open(
        self, ready: Callable[[], None], broke: Callable[[str], None] = lambda _: None
    ) -> None:
        await self.house.open()
        self._socket = self.house.socket
        await super().open(ready, broke)

    async def close(self) -> None:
        await super().close()
        await self.house.close()
