"""A machine on which processes open a journal's file one after the other, and crash."""

import asyncio
import heapq
import sqlite3
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.dump import copy_of
from vertexkit.clock import Clock
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite import writer
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings

PATIENCE = 60.0
"""Real seconds after which a paused disk continues by itself."""
QUIET = 10
"""Turns of the event loop without work after which the journal counts as idle."""
FULL = 2
"""Value of `PRAGMA synchronous` with which a commit waits for the disk."""


class ManualClock(Clock):
    """A clock that a test advances."""

    def __init__(self) -> None:
        self._time = 0.0
        self._numbers = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._time

    def unix(self) -> float:
        return 1_700_000_000.0 + self._time

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._time + seconds, next(self._numbers), woken))
        await woken

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._time += seconds
        while self._sleepers and self._sleepers[0][0] <= self._time:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class Disk:
    """Knows which part of a journal's file is surely on the disk, and can pause its commits.

    Killing a process keeps all that it has written, with or without a sync; a power loss
    keeps what was there at the last commit with `synchronous = FULL`, and of the rest of SQLite's
    log (`-wal`) any part from the front: what follows a hole in it is void by its checksums. Until
    a checkpoint, which none of these short runs gets to, all that was written is in the log.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._commit = writer._commit
        self._free = threading.Event()
        self._free.set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = Path()
        self.synced = 0
        """Bytes of the log that are surely on the disk."""
        self.stuck = asyncio.Event()
        """A commit is paused."""
        # There is no other place between a transaction's last statement and its commit.
        monkeypatch.setattr(writer, "_commit", self._watched)

    def watch(self, path: Path) -> None:
        """Watch this journal's file from now on."""
        self._loop = asyncio.get_running_loop()
        self._log = path.with_name(f"{path.name}-wal")
        self.synced = self._log.stat().st_size

    def hold(self) -> None:
        """Pause commits."""
        self.stuck.clear()
        self._free.clear()

    def go_on(self) -> None:
        """Continue commits."""
        self.stuck.clear()
        self._free.set()

    def _watched(self, connection: sqlite3.Connection) -> None:
        log, loop = self._log, self._loop
        if not self._free.is_set() and loop is not None:
            loop.call_soon_threadsafe(self.stuck.set)
            self._free.wait(PATIENCE)
        [level] = connection.execute("PRAGMA synchronous").fetchone()
        self._commit(connection)
        if level >= FULL and log == self._log:
            self.synced = log.stat().st_size


class _Observer(NullJournalObserver):
    """Reports the loss of the journal to a test."""

    def __init__(self, on_lost: Callable[[str], None]) -> None:
        self._on_lost = on_lost

    def lost(self, reason: str) -> None:
        self._on_lost(reason)


class Machine:
    """A folder with a journal, and the current process that has it open."""

    def __init__(
        self, folder: Path, disk: Disk, clock: ManualClock, settings: JournalSettings
    ) -> None:
        self._folder = folder
        self._lives = count(1)
        self._disk = disk
        self._clock = clock
        self._settings = settings
        self._path = folder / "journal-0.db"
        self.journal: SqliteJournal

    async def start(self, on_lost: Callable[[str], None]) -> None:
        """Start a process with the current file."""
        self.journal = SqliteJournal(self._path, self._clock, self._settings)
        await self.journal.open(_Observer(on_lost))
        self._disk.watch(self._path)

    async def rest(self) -> None:
        """Wait until the journal has nothing to write or to read."""
        quiet = 0
        while quiet < QUIET:
            await asyncio.sleep(0)
            quiet = 0 if self.journal._writer._busy else quiet + 1

    async def die(self, *, power: bool, part: float) -> None:
        """Kill the process, or cut the power.

        The dead process still has the lock on its file: the next one gets a copy.

        Args:
            power: only what was surely on the disk is kept,
            part: and this part of the rest, from 0 to 1.
        """
        left = copy_of(self._path, self._folder / f"journal-{next(self._lives)}.db")
        if power:
            log = left.with_name(f"{left.name}-wal")
            unsure = log.stat().st_size - self._disk.synced
            with log.open("r+b") as file:
                file.truncate(self._disk.synced + int(unsure * part))
        await self.release_dead_process()
        self._path = left

    async def release_dead_process(self) -> None:
        """Release the resources of the dead process."""
        self._disk.go_on()
        await self.journal.close()
        for ending in ("", "-wal"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
