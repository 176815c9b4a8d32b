"""A journal that one process has open and others use: its server and clients, in one event loop."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from vertexkit.clock import Clock
from vertexkit.journal.protocol import JournalObserver
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.server import JournalServer
from vertexkit.journal.shared.socket import listening_socket
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor

LEASE = 300.0
"""Far longer than a test takes on a busy machine: it expires only where a test lets time pass."""


class HostedJournal:
    """An SQLite journal and its server.

    Attributes:
        journal: of the file.
        server: of the journal.
        socket: where it listens.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self.journal = SqliteJournal(file, clock, JournalSettings(lease=LEASE))
        self.server = JournalServer(self.journal, Supervisor(pytest.fail))
        self.socket = Path()
        self._file = file
        self._stack = ExitStack()

    async def open(self) -> None:
        """Open the file and listen."""
        await self.journal.open(self.server)
        listener, self.socket = self._stack.enter_context(listening_socket(self._file))
        await self.server.listen(listener, self.socket)

    async def close(self) -> None:
        """End as a service does."""
        await self.server.close()
        await self.journal.close()
        self._stack.close()


class ClientWithServer(JournalClient):
    """A client that opens and closes its server too."""

    def __init__(self, file: Path, clock: Clock) -> None:
        super().__init__(Path())
        self._host = HostedJournal(file, clock)

    async def open(self, observer: JournalObserver) -> None:
        await self._host.open()
        self._socket = self._host.socket
        await super().open(observer)

    async def close(self) -> None:
        await super().close()
        await self._host.close()
