"""One SQLite connection on a thread of its own, and the group commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from vertexkit.errors import JournalUnavailable

T = TypeVar("T")
Values = Sequence[Any]
Work = Callable[[sqlite3.Connection], Any]

GROUP = 1000
"""Writes that are committed together, at most."""
AGAIN = 0.25
"""Seconds between two tries while the disk is full or the file cannot be written."""
HANGING = 5.0
"""Seconds without an answer of the disk after which new calls are refused."""
PASSING = {"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN"}
"""Errors that may go by when somebody makes room; every other one is for good.

After a failed fsync nobody knows what is on the disk, and trying again would only seem to help
(https://wiki.postgresql.org/wiki/Fsync_Errors): that one is not here.
"""


@dataclass(slots=True, eq=False)
class Write:
    """One change that waits to be committed."""

    sql: str
    values: Values
    done: asyncio.Future[None]
    after: Callable[[bool], None] | None
    """Called on the loop before whoever waits: was it committed?"""
    power: bool
    """It has to be on the disk; otherwise it is enough that a killed process does not undo it."""
    optional: bool
    """Rather fail at once than wait for a disk that is full."""


@dataclass(slots=True, eq=False)
class Question:
    """A question that is asked between two commits."""

    work: Work
    done: asyncio.Future[Any]


class Store:
    """Writes in groups: whatever waits when a commit ends is in the next one.

    A commit that fails was never done: SQLite rolls all of it back. Of its writes the optional
    ones fail, the rest are tried again until the disk takes them.

    Args:
        connection: opened with `check_same_thread=False`; used by the store's thread alone.
        broke: called on the loop, once, with the reason, when nothing can be written any more.
    """

    def __init__(self, connection: sqlite3.Connection, broke: Callable[[str], None]) -> None:
        self.trouble = ""
        """Why the last commit failed; empty once one succeeded."""
        self._connection = connection
        self._broke = broke
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[Write | Question | None] = SimpleQueue()
        self._full_sync = True
        self._broken = False
        self._since: float | None = None
        """When the commit under way began, by the loop's clock."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="vertexkit-journal", daemon=True)
        self._thread.start()

    def write(
        self,
        sql: str,
        values: Values,
        *,
        power: bool = False,
        optional: bool = False,
        after: Callable[[bool], None] | None = None,
    ) -> asyncio.Future[None]:
        """Put a change into the next commit; done when that is.

        Raises:
            JournalUnavailable: as the future's exception: it is not and will not be written.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        write = Write(sql, values, done, after, power, optional)
        if self._broken or (optional and self._hangs()):
            _fail([write], self.trouble or "the disk does not answer")
        else:
            self._inbox.put(write)
        return done

    async def ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Ask something of the connection, on its thread, outside any transaction."""
        if self._broken:
            raise JournalUnavailable(self.trouble)
        done: asyncio.Future[T] = self._loop.create_future()
        self._inbox.put(Question(work, done))
        return await done

    async def close(self) -> None:
        """Write what waits if the disk takes it, and close the file."""
        self._stopped.set()
        self._inbox.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _hangs(self) -> bool:
        return self._since is not None and self._loop.time() - self._since > HANGING

    # On the thread

    def _work(self) -> None:
        again: list[Write] = []
        last = False
        while not (last or self._broken):
            group, questions, last = self._next_group(again)
            again = self._commit(group) if group else []
            for question in questions:
                self._answer(question)
            if again and (last or self._stopped.wait(AGAIN)):  # the process ends: no later
                self._tell(_fail, again, self.trouble)
                break
        self._connection.close()

    def _next_group(self, again: list[Write]) -> tuple[list[Write], list[Question], bool]:
        """All that waits, once something does; and whether it is the last of all."""
        group, questions = list(again), []
        item = None
        try:
            item = self._inbox.get_nowait() if again else self._inbox.get()
            self._since = self._loop.time()
            while item is not None:
                if isinstance(item, Write):
                    group.append(item)
                else:
                    questions.append(item)
                if len(group) >= GROUP or questions:
                    break
                item = self._inbox.get_nowait()
        except Empty:
            return group, questions, False
        return group, questions, item is None

    def _commit(self, group: list[Write]) -> list[Write]:
        """Commit the group; gives those that have to be tried again."""
        try:
            self._run(group)
        except sqlite3.Error as error:
            if error_name(error):
                return self._failed(group, error)
            return self._one_by_one(group, error)
        except Exception as error:  # noqa: BLE001 - a value that SQLite cannot take
            return self._one_by_one(group, error)
        finally:
            self._since = None
        self.trouble = ""
        self._tell(_succeed, group)
        return []

    def _one_by_one(self, group: list[Write], error: Exception) -> list[Write]:
        """One of them is at fault, and only that one is to fail."""
        if len(group) == 1:
            self._tell(_fail, group, str(error))
            return []
        return [write for each in group for write in self._commit([each])]

    def _run(self, group: list[Write]) -> None:
        """One transaction. Only what has to survive a loss of power waits for the disk."""
        execute = self._connection.execute
        full = any(write.power for write in group)
        if full is not self._full_sync:
            execute("PRAGMA synchronous = FULL" if full else "PRAGMA synchronous = NORMAL")
            self._full_sync = full
        execute("BEGIN IMMEDIATE")
        try:
            for write in group:
                execute(write.sql, write.values)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def _failed(self, group: list[Write], error: sqlite3.Error) -> list[Write]:
        self.trouble = f"{error} ({error_name(error)})"
        if error_name(error) not in PASSING:
            self._give_up(group)
            return []
        self._tell(_fail, [write for write in group if write.optional], self.trouble)
        return [write for write in group if not write.optional]

    def _give_up(self, group: list[Write]) -> None:
        """Nothing can be written any more, in this process: what is on the disk stays as it is."""
        self._broken = True
        self._tell(_fail, group, self.trouble)
        self._tell(self._broke, self.trouble)
        self._tell(self._empty)

    def _empty(self) -> None:
        """Fail what was put in after the end."""
        while True:
            try:
                item = self._inbox.get_nowait()
            except Empty:
                return
            if item is not None and not item.done.done():
                item.done.set_exception(JournalUnavailable(self.trouble))

    def _answer(self, question: Question) -> None:
        try:
            answer = question.work(self._connection)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            self._tell(_set_exception, question.done, error)
        else:
            self._tell(_set_result, question.done, answer)

    def _tell(self, callback: Callable[..., object], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *values)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._broken = True


def error_name(error: sqlite3.Error) -> str:
    """SQLite's own name of it, such as SQLITE_FULL; empty if it is Python's."""
    return getattr(error, "sqlite_errorname", "") or ""


def _succeed(group: list[Write]) -> None:
    for write in group:
        if write.after is not None:
            write.after(True)
        if not write.done.done():
            write.done.set_result(None)


def _fail(group: list[Write], reason: str) -> None:
    for write in group:
        if write.after is not None:
            write.after(False)
        if not write.done.done():
            write.done.set_exception(JournalUnavailable(f"the journal cannot be written: {reason}"))
            write.done.exception()  # whoever waits gets it; where nobody does, asyncio is quiet


def _set_result(done: asyncio.Future[Any], value: Any) -> None:
    if not done.done():
        done.set_result(value)


def _set_exception(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
