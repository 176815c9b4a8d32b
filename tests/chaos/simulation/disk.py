"""The disk of a simulation: it is slow, held, full or broken, and loses what was not synced."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from tests.chaos.dump import copy_of, read, read_memories
from tests.chaos.simulation.scheduler import Scheduler, SimulatedLoop
from vertexkit.journal.protocol import Record
from vertexkit.journal.sqlite import writer
from vertexkit.journal.sqlite.thread import Callback, Job, MakeJobRunner
from vertexkit.journal.sqlite.watch import LOG_SUFFIX, MARK_SUFFIX

T = TypeVar("T")
FULL_SYNC = 2
"""Value of `PRAGMA synchronous` with which a commit waits for the disk."""
COMMIT = writer._commit


class Disk:
    """A folder with the journal's file, which processes open one after the other.

    Killing a process keeps all that it has written, with or without a sync. A loss of power keeps
    what was there at the last commit with `synchronous = FULL`, and any part of what was written to
    SQLite's log after that: what follows a hole in the log is void by its checksums.

    Args:
        scheduler: of the simulation.
        random: of the seed.
        outside: the loop on which the disk works.
        folder: an empty folder.
    """

    def __init__(
        self, scheduler: Scheduler, random: Random, outside: SimulatedLoop, folder: Path
    ) -> None:
        self.held_until = 0.0
        self.full_until = 0.0
        self.breaks = False
        """The next commit fails as a broken disk does; it is unknown whether it is on the disk."""
        self.path = folder / "journal-0.db"
        self.groups: list[int] = []
        self._copies = 0
        self._scheduler = scheduler
        self._random = random
        self._outside = outside
        self._synced = b""
        """The log as it surely is on the disk."""
        self._changes = 0
        self._slowness = random.choice((1.0, 1.0, 20.0))
        """A slow disk commits many changes at once."""
        self._open: list[_Jobs] = []

    @property
    def _log(self) -> Path:
        return self.path.with_name(self.path.name + LOG_SUFFIX)

    def _written(self) -> bytes:
        return self._log.read_bytes() if self._log.exists() else b""

    def opened(self) -> None:
        """A process has opened the file: everything that was in the log is synced."""
        self._synced = self._written()

    def runner(self, loop: SimulatedLoop) -> MakeJobRunner:
        """Return what makes the job runner of a process."""

        def make(at_end: Job, on_ended: Callable[[], object]) -> _Jobs:
            self._open.append(_Jobs(self, loop, at_end, on_ended))
            return self._open[-1]

        return make

    def work(self, loop: SimulatedLoop, job: Job, callback: Callback) -> None:
        """Run a job of a process after a moment, unless it has died by then."""
        seconds = self._scheduler.latency() * self._slowness
        self._outside.call_later(seconds, self._run, loop, job, callback)

    def _run(self, loop: SimulatedLoop, job: Job, callback: Callback) -> None:
        if not loop.alive:
            return
        now = self._scheduler.now
        if (until := max(self.held_until, loop.frozen_until)) > now:
            self._outside.call_at(until + self._scheduler.latency(), self._run, loop, job, callback)
            return
        value = error = None
        try:
            value = job()
        except Exception as raised:  # noqa: BLE001 - handed to the caller
            error = raised
        if self._synced and not (self._log.exists() and self._log.stat().st_size):
            self._synced = b""  # a checkpoint has emptied the log
        loop.call_later(self._scheduler.latency(), callback, value, error)

    def commit(self, connection: sqlite3.Connection) -> None:
        """Take the place of the writer's commit."""
        if self.full_until > self._scheduler.now:
            connection.rollback()
            raise _error(sqlite3.OperationalError("database or disk is full"), "SQLITE_FULL")
        [level] = connection.execute("PRAGMA synchronous").fetchone()
        breaks, self.breaks = self.breaks, False
        if breaks and self._random.random() < 0.5:
            connection.rollback()
        else:
            COMMIT(connection)
            self.groups.append(connection.total_changes - self._changes)
            self._changes = connection.total_changes
        if breaks:
            raise _error(sqlite3.OperationalError("disk I/O error"), "SQLITE_IOERR_FSYNC")
        if level >= FULL_SYNC:
            self._synced = self._written()

    def release(self, *, power_lost: bool) -> None:
        """The process that had the file open is dead: leave what it has written.

        The dead process still has the lock on its file: the next one gets a copy.
        """
        self._copies += 1
        self._changes = 0
        written = self._written()
        left = copy_of(self.path, self.path.with_name(f"journal-{self._copies}.db"))
        mark = self.path.with_name(self.path.name + MARK_SUFFIX)
        if mark.exists():
            left.with_name(left.name + MARK_SUFFIX).write_bytes(mark.read_bytes())
        self.path = left
        if power_lost and written != self._synced:
            kept = int(len(written) * self._random.choice((0.0, 0.5, 1.0)))
            self._log.write_bytes(written[:kept] + self._synced[kept:])

    def close(self) -> None:
        """Close the files that dead processes had open."""
        for jobs in self._open:
            jobs.close()

    def records(self) -> tuple[Record, ...]:
        """Read all executions; no process has the file open."""
        return self._read(read) if self.path.exists() else ()

    def memories(self) -> dict[int, dict[str, int]]:
        """Read the memories of all dialogs, by their numbers; no process has the file open."""
        return self._read(read_memories) if self.path.exists() else {}

    def _read(self, read: Callable[[Path], T]) -> T:
        copy = copy_of(self.path, self.path.with_name("copy.db"))
        found = read(copy)
        for ending in ("", LOG_SUFFIX):
            copy.with_name(copy.name + ending).unlink(missing_ok=True)
        return found


class _Jobs:
    """The job runner of one process; see `JobRunner`."""

    def __init__(
        self, disk: Disk, loop: SimulatedLoop, at_end: Job, on_ended: Callable[[], object]
    ) -> None:
        self._disk = disk
        self._loop = loop
        self._at_end = at_end
        self._on_ended = on_ended

    def put(self, job: Job, callback: Callback) -> None:
        self._disk.work(self._loop, job, callback)

    def stop(self) -> None:
        def ended(*_: object) -> None:
            self._on_ended()

        self._disk.work(self._loop, self.close, ended)

    def close(self) -> None:
        """Close the file, once."""
        at_end, self._at_end = self._at_end, lambda: None
        at_end()


def _error(error: Any, name: str) -> Exception:
    error.sqlite_errorname = name
    found: Exception = error
    return found
