"""One SQLite connection, and the group commit."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vertexkit.errors import JournalError, JournalUnavailable
from vertexkit.journal.encryption import Cipher
from vertexkit.journal.protocol import JournalObserver
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.file import abandon
from vertexkit.journal.sqlite.thread import JobRunner, JobThread, MakeJobRunner
from vertexkit.journal.sqlite.watch import AcceptedMark, FileLost, FileWatch

T = TypeVar("T")
Job = Callable[[JournalConnection], Any]
"""Uses the connection, on the writer's thread."""

RETRY_SECONDS = 0.25
"""Pause before a failed commit is tried again."""
WATCH_SECONDS = 1.0
"""How often the file is checked while nothing is committed."""
LOOP_TURNS_BEFORE_COMMIT = 4
"""Turns of the event loop after which the writes that wait are committed. On a busy loop more writes
arrive in them, and a commit costs as much for twenty writes as for one. On an idle loop they are over
at once."""
STALLED_SECONDS = 5.0
"""Duration of a job after which new calls are rejected: the disk does not respond."""
TRANSIENT_ERRORS = {
    "SQLITE_FULL",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
}
"""Errors after which a commit is tried again; every other one is permanent.

After a failed fsync it is unknown what is on the disk, and a second try would only appear to
succeed (https://wiki.postgresql.org/wiki/Fsync_Errors): that error is permanent.
"""
DAMAGE_ERRORS = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")
"""Starts of the names of errors after which a read ends the use of the file as well."""
SET_SYNC = {True: "PRAGMA synchronous = FULL", False: "PRAGMA synchronous = NORMAL"}


@dataclass(slots=True, eq=False)
class Write:
    """A change that waits to be committed."""

    sql: str
    values: Sequence[Any]
    done: asyncio.Future[None]
    after: Callable[[bool], None] | None
    """Called before the caller resumes; the argument says whether the change was committed."""
    power: bool
    """It must survive power loss, not only the death of the process."""
    optional: bool
    """It fails at once, instead of waiting, while the disk is full."""
    number: int
    """Number of the execution that it accepts, or 0."""

    def finish(self, error: str = "") -> None:
        """Report that the change was committed, or why it never will be."""
        if self.after is not None:
            self.after(not error)
        if self.done.done():
            return
        if not error:
            self.done.set_result(None)
            return
        self.done.set_exception(JournalUnavailable(f"the journal cannot be written: {error}"))
        self.done.exception()  # if no caller waits, asyncio must not log it


class Writer:
    """Writes in groups: the changes that wait when a commit ends are in the next one.

    The group starts a few turns of the event loop later, so that it has what the callers of the
    last commit write.

    Statements run on the event loop: they only touch SQLite's page cache, and handing each of them
    to a thread takes three times as long as the statement. Commits and reads wait for the disk and
    run on the writer's thread. Only one of the two uses the connection at a time.

    SQLite rolls back a commit that fails. Of its writes, the optional ones fail; the others are
    tried again until the commit succeeds.

    No change is reported as committed to a file that is not at its path any more: that is checked
    with each commit, and every second.

    Args:
        connection: opened with `check_same_thread=False`, for the writer alone.
        path: of the file.
        observer: of the journal's commits and of its loss.
        make_runner: makes what runs the jobs.
    """

    def __init__(
        self,
        connection: JournalConnection,
        path: Path,
        observer: JournalObserver,
        make_runner: MakeJobRunner = JobThread,
    ) -> None:
        self.error: str = ""
        """Why the last commit failed; empty after one succeeded."""
        self.cipher: Cipher = connection.cipher
        """Seals the values that are written."""
        self._connection = connection
        self._file = FileWatch(path)
        self._mark = AcceptedMark(path)
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._writes: list[Write] = []
        """Wait for the next commit."""
        self._reads: list[tuple[Job, asyncio.Future[Any]]] = []
        """Wait for the thread."""
        self._busy = False
        """The thread uses the connection, or the next group is about to start."""
        self._job_started_at: float | None = None
        """By the loop's clock; None: the thread is idle."""
        self._broken = False
        self._closing = False
        self._idle = asyncio.Event()
        self._closed = asyncio.Event()
        self._full_sync = True
        self._runner: JobRunner = make_runner(self._close_file, self._closed.set)
        self._watch_timer = self._loop.call_later(WATCH_SECONDS, self._watch)

    def write(
        self,
        sql: str,
        values: Sequence[Any],
        *,
        power: bool = False,
        optional: bool = False,
        after: Callable[[bool], None] | None = None,
        number: int = 0,
    ) -> asyncio.Future[None]:
        """Add a change to the next commit.

        Args:
            sql: the statement.
            values: its parameters.
            power: the change must survive power loss, not only the death of the process.
            optional: fail at once, instead of waiting, while the disk is full.
            after: called with whether the change was committed, before the caller resumes.
            number: of the execution that the change accepts, if it does.

        Returns:
            A future that is done when the change is committed, or fails with `JournalUnavailable`
            when it never will be.
        """
        write = Write(sql, values, self._loop.create_future(), after, power, optional, number)
        if self._broken or (optional and self._is_stalled()):
            write.finish(self.error or "the disk does not respond")
            return write.done
        self._writes.append(write)
        self._schedule()
        return write.done

    async def run(self, job: Callable[[JournalConnection], T]) -> T:
        """Run a job with the connection on the writer's thread, outside any transaction.

        Raises:
            JournalUnavailable: the journal is lost, or the file could not be read.
            JournalError: the job failed.
        """
        if self._broken:
            raise JournalUnavailable(self.error)
        done: asyncio.Future[T] = self._loop.create_future()
        self._reads.append((job, done))
        self._schedule()
        return await done

    async def close(self) -> None:
        """Commit the changes that wait, if possible, and close the file."""
        self._closing = True
        self._watch_timer.cancel()
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        self._runner.stop()
        await self._closed.wait()  # not `join`: a command must not wait for a disk that hangs

    def _is_stalled(self) -> bool:
        started = self._job_started_at
        return started is not None and self._loop.time() - started > STALLED_SECONDS

    def _watch(self) -> None:
        """Check the file while there is nothing to commit."""
        if not (self._busy or self._broken):
            self._reads.append((_change_nothing, self._loop.create_future()))
            self._schedule()
        self._watch_timer = self._loop.call_later(WATCH_SECONDS, self._watch)

    def _schedule(self) -> None:
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next, LOOP_TURNS_BEFORE_COMMIT - 1)

    def _next(self, turns: int = 0) -> None:
        """Start the next read, or the next group of writes after some turns of the event loop."""
        if self._reads and not self._broken:
            job, done = self._reads.pop(0)
            self._start_job(job, lambda value, error: self._finish_read(done, value, error))
        elif self._writes and turns and not self._closing:
            self._loop.call_soon(self._next, turns - 1)
        elif self._writes and not self._broken:
            group, self._writes = self._writes, []
            self._execute(group)
        else:
            self._busy = False
            self._idle.set()

    def _execute(self, group: list[Write]) -> None:
        """Execute the statements of a transaction, then start its commit."""
        execute = self._connection.execute
        full_sync = any(write.power for write in group)
        try:
            if full_sync is not self._full_sync:
                execute(SET_SYNC[full_sync])
                self._full_sync = full_sync
            execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._retry_or_break(group, error)
            return
        executed = []
        for write in group:
            try:
                execute(write.sql, write.values)
            except Exception as error:  # noqa: BLE001 - also values that SQLite cannot store
                if not self._connection.in_transaction and isinstance(error, sqlite3.Error):
                    self._retry_or_break(group, error)
                    return
                write.finish(str(error))  # the other writes are not affected
            else:
                executed.append(write)
        accepted = max((write.number for write in executed), default=0)
        commit = partial(self._commit_and_mark, accepted)
        self._start_job(commit, lambda _, error: self._finish_commit(executed, error))

    def _commit_and_mark(self, accepted: int, connection: JournalConnection) -> None:
        """Commit, and note the last execution that is acknowledged after it, on the thread."""
        _commit(connection)
        if accepted:
            self._mark.write(accepted)

    def _start_job(self, job: Job, callback: Callable[[Any, Exception | None], None]) -> None:
        self._job_started_at = self._loop.time()
        self._runner.put(partial(self._run_job, job), callback)

    def _finish_commit(self, group: list[Write], error: Exception | None) -> None:
        seconds = self._loop.time() - (self._job_started_at or 0.0)
        self._job_started_at = None
        if error is not None:
            self._observer.commit_failed()
            self._retry_or_break(group, error)
            return
        self._observer.committed(len(group), seconds)
        self.error = ""
        for write in group:
            write.finish()
        # After the callers, which have more to write.
        self._loop.call_soon(self._next, LOOP_TURNS_BEFORE_COMMIT - 1)

    def _retry_or_break(self, group: list[Write], error: Exception) -> None:
        name = getattr(error, "sqlite_errorname", "")
        self.error = f"{error} ({name})" if name else str(error)
        if name not in TRANSIENT_ERRORS:
            self._break(group)
            return
        retried = []
        for write in group:
            if write.optional or self._closing:
                write.finish(self.error)
            else:
                retried.append(write)
        self._writes = retried + self._writes
        self._loop.call_later(0 if self._closing else RETRY_SECONDS, self._next)

    def _break(self, group: list[Write]) -> None:
        """Write nothing any more in this process; the file stays unchanged."""
        self._broken = True
        writes, self._writes = [*group, *self._writes], []
        for write in writes:
            write.finish(self.error)
        for _, done in self._reads:
            done.set_exception(JournalUnavailable(self.error))
        self._reads.clear()
        self._observer.lost(self.error)
        self._next()

    def _finish_read(
        self, done: asyncio.Future[Any], value: object, error: Exception | None
    ) -> None:
        self._job_started_at = None
        if not done.done():
            if error is None:
                done.set_result(value)
            else:
                done.set_exception(_read_error(error))
                done.exception()  # if no caller waits, asyncio must not log it
        name = getattr(error, "sqlite_errorname", "")
        if error is not None and (isinstance(error, FileLost) or name.startswith(DAMAGE_ERRORS)):
            self._retry_or_break([], error)
        else:
            self._next()

    def _run_job(self, job: Job) -> Any:
        """Run a job on the thread; what it commits counts only if the file is still the same."""
        self._file.verify()
        value = job(self._connection)
        if (
            job is not _change_nothing
        ):  # then a file that is cut off now is noticed by the next check
            self._file.note()
        return value

    def _close_file(self) -> None:
        """Close the file, on the thread."""
        if self._broken:
            abandon(self._connection)
        else:
            self._connection.close()
        self._mark.close()


def _change_nothing(connection: sqlite3.Connection) -> None:
    """The job of a check: the file is verified before each job."""


def _read_error(error: Exception) -> JournalError:
    """Return the error that the caller of a failed job gets."""
    if isinstance(error, JournalError):
        return error
    unavailable = isinstance(error, (sqlite3.DatabaseError, FileLost))
    kind = JournalUnavailable if unavailable else JournalError
    raised = kind(f"the journal cannot be read: {error}")
    raised.__cause__ = error
    return raised


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
