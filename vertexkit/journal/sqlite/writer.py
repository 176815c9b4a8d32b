"""One SQLite connection, and the group commit."""

import asyncio
import ctypes
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from vertexkit.errors import JournalUnavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

AGAIN = 0.25
"""Seconds between two tries while the disk is full or the file cannot be written."""
HANGING = 5.0
"""Seconds without an answer of the disk after which new calls are refused."""
PASSING = {"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN"}
"""Errors that may go by when somebody makes room; every other one is for good.

After a failed fsync nobody knows what is on the disk, and trying again would only seem to help
(https://wiki.postgresql.org/wiki/Fsync_Errors): that one is not here.
"""
COMMIT = {True: "PRAGMA synchronous = FULL", False: "PRAGMA synchronous = NORMAL"}


@dataclass(slots=True, eq=False)
class Write:
    """One change that waits to be committed."""

    sql: str
    values: Sequence[Any]
    done: asyncio.Future[None]
    after: Callable[[bool], None] | None
    """Called before whoever waits goes on: was it committed?"""
    power: bool
    """It has to be on the disk; otherwise it is enough that a killed process does not undo it."""
    optional: bool
    """Rather fail at once than wait for a disk that is full."""

    def end(self, reason: str = "") -> None:
        """It was committed; or, for this reason, it was not and will not be."""
        if self.after is not None:
            self.after(not reason)
        if self.done.done():
            return
        if not reason:
            self.done.set_result(None)
            return
        self.done.set_exception(JournalUnavailable(f"the journal cannot be written: {reason}"))
        self.done.exception()  # whoever waits gets it; where nobody does, asyncio is quiet


class Writer:
    """Writes in groups: whatever waits when a commit ends is in the next one.

    Statements run on the event loop: they touch nothing but SQLite's page cache, and to hand each
    of them to a thread costs three times what it does. What waits for the disk, the commits and
    whatever is read, runs on the store's thread; the connection is in one pair of hands at a time.

    A commit that fails was never done: SQLite rolls all of it back. Of its writes the optional
    ones fail, the rest are tried again until the disk takes them.

    Args:
        connection: opened with `check_same_thread=False`, for the store alone.
        broke: called once, with the reason, when nothing can be written any more.
    """

    def __init__(self, connection: sqlite3.Connection, broke: Callable[[str], None]) -> None:
        self.trouble = ""
        """Why the last commit failed; empty once one succeeded."""
        self.on_commit: Callable[[int, float], None] = lambda *_: None
        """Told of each commit: its changes, 0 if it failed, and the seconds that it took."""
        self._connection = connection
        self._broke = broke
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Write] = []
        self._questions: list[tuple[Work, asyncio.Future[Any]]] = []
        self._busy = False
        """The thread has the connection, or the next group is about to begin."""
        self._since: float | None = None
        """When the thread began with what it does, by the loop's clock."""
        self._broken = False
        self._closing = False
        self._idle = asyncio.Event()
        self._full_sync = True
        self._tasks: SimpleQueue[tuple[Work, Callable[[Any, Exception | None], None]] | None]
        self._tasks = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="vertexkit-journal", daemon=True)
        self._thread.start()

    def write(
        self,
        sql: str,
        values: Sequence[Any],
        *,
        power: bool = False,
        optional: bool = False,
        after: Callable[[bool], None] | None = None,
    ) -> asyncio.Future[None]:
        """Put a change into the next commit; done when that is.

        Raises:
            JournalUnavailable: as the future's exception: it is not and will not be written.
        """
        write = Write(sql, values, self._loop.create_future(), after, power, optional)
        if self._broken or (optional and self._hangs()):
            write.end(self.trouble or "the disk does not answer")
            return write.done
        self._waiting.append(write)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)
        return write.done

    async def ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have something done with the connection on its thread, outside any transaction."""
        if self._broken:
            raise JournalUnavailable(self.trouble)
        done: asyncio.Future[T] = self._loop.create_future()
        self._questions.append((work, done))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)
        return await done

    async def close(self) -> None:
        """Write what waits, if the disk takes it, and close the file."""
        self._closing = True
        while self._busy:
            self._idle.clear()
            await self._idle.wait()
        self._tasks.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _hangs(self) -> bool:
        return self._since is not None and self._loop.time() - self._since > HANGING

    def _next(self) -> None:
        """Begin the next group, or answer the next question."""
        if self._questions and not self._broken:
            work, asked = self._questions.pop(0)
            self._hand_over(work, lambda answer, error: self._answered(asked, answer, error))
        elif self._waiting and not self._broken:
            group, self._waiting = self._waiting, []
            self._begin(group)
        else:
            self._busy = False
            self._idle.set()

    def _begin(self, group: list[Write]) -> None:
        """All statements of a transaction; then let it be committed."""
        execute = self._connection.execute
        full = any(write.power for write in group)
        try:
            if full is not self._full_sync:
                execute(COMMIT[full])
                self._full_sync = full
            execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._failed(group, error)
            return
        written = []
        for write in group:
            try:
                execute(write.sql, write.values)
            except Exception as error:  # noqa: BLE001 - also values that SQLite cannot take
                if not self._connection.in_transaction and isinstance(error, sqlite3.Error):
                    self._failed(group, error)
                    return
                write.end(str(error))  # it is at fault, and the others are not
            else:
                written.append(write)
        self._hand_over(_commit, lambda _, error: self._committed(written, error))

    def _hand_over(self, work: Work, then: Callable[[Any, Exception | None], None]) -> None:
        self._since = self._loop.time()
        self._tasks.put((work, then))

    def _committed(self, group: list[Write], error: Exception | None) -> None:
        took, self._since = self._loop.time() - (self._since or 0.0), None
        self.on_commit(0 if error is not None else len(group), took)
        if error is not None:
            self._failed(group, error)
            return
        self.trouble = ""
        for write in group:
            write.end()
        self._loop.call_soon(self._next)  # after those who waited: they have more to write

    def _failed(self, group: list[Write], error: Exception) -> None:
        name = getattr(error, "sqlite_errorname", "")
        self.trouble = f"{error} ({name})"
        if name not in PASSING:
            self._give_up(group)
            return
        again = []
        for write in group:
            if write.optional or self._closing:
                write.end(self.trouble)
            else:
                again.append(write)
        self._waiting = again + self._waiting
        self._loop.call_later(0 if self._closing else AGAIN, self._next)

    def _give_up(self, group: list[Write]) -> None:
        """Nothing can be written any more, in this process: what is on the disk stays as it is."""
        self._broken = True
        waiting, self._waiting = [*group, *self._waiting], []
        for write in waiting:
            write.end(self.trouble)
        for _, asked in self._questions:
            asked.set_exception(JournalUnavailable(self.trouble))
        self._questions.clear()
        self._broke(self.trouble)
        self._next()

    def _answered(
        self, asked: asyncio.Future[Any], answer: object, error: Exception | None
    ) -> None:
        self._since = None
        if not asked.done():
            if error is None:
                asked.set_result(answer)
            else:
                asked.set_exception(error)
        self._next()

    def _work(self) -> None:
        """The thread: one piece of work after the other."""
        while (task := self._tasks.get()) is not None:
            work, then = task
            answer = error = None
            try:
                answer = work(self._connection)
            except Exception as raised:  # noqa: BLE001 - handed to whoever waits
                error = raised
            try:
                self._loop.call_soon_threadsafe(then, answer, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                break
        if self._broken:
            _abandon(self._connection)
        else:
            self._connection.close()


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise


def _abandon(connection: sqlite3.Connection) -> None:
    """Leave the file as it is: to close it, SQLite would write and sync once more."""
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)
        connection.close()
    else:  # never closed, not even when the process ends
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
