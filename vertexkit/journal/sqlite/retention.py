"""Deletes ended executions that are too old or too many, and erases what they left in the file."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.clock import Clock
from vertexkit.errors import JournalError
from vertexkit.execution import OutcomeStatus
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.schema import (
    DELETE,
    DELETE_EFFECTS,
    FORGET_CALLS,
    HAS_EXPIRED_CALL,
    SAVE_AGE,
    SAVE_LAST_NUMBER,
    SELECT_EXPIRED,
    SELECT_SURPLUS,
)
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor

MAX_ENDED_EXECUTIONS = 100_000
"""Ended executions that are kept, not counting the parked ones."""
CHECK_INTERVAL_SECONDS = 60.0
"""How often ended executions are checked for their age, whatever the load."""
ENDED_BETWEEN_CHECKS = 2000
"""Executions that end between two checks of their number."""
DELETE_BATCH = 200
"""Most executions deleted in one transaction."""
MAX_BATCH_SECONDS = 0.002
"""Time for the deletions of one transaction: other writes wait for it."""
TOKEN_BATCH = 100
"""Unique tokens deleted in one transaction."""
VACUUM_BATCH = 50
"""Free pages given back to the file system in one transaction."""
MIN_FREE_PAGES = 2048
"""Free pages, of 4 KiB, that the file keeps for later executions."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Retention:
    """Deletes in small transactions, in a task of its own.

    Args:
        writer: of the journal.
        clock: for when the age is checked.
        age: of the journal.
        settings: of the journal; how long what is kept.
        supervisor: of the task.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        age: JournalAge,
        settings: JournalSettings,
        supervisor: Supervisor,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._age = age
        self._settings = settings
        self._ended = 0
        self._surplus_checked = 0
        """Number of the last execution that was deleted as one too many."""
        self._check_number = asyncio.Event()
        self._supervisor = supervisor
        self._task = supervisor.start("deletion of ended executions", self._clean())

    async def stop(self) -> None:
        """Stop deleting, and save the journal's age."""
        self._supervisor.cancel(self._task)
        with suppress(JournalError):
            await self._writer.run(self._save_age)

    def count_ended(self) -> None:
        """Count an execution that has ended."""
        self._ended += 1
        if self._ended % ENDED_BETWEEN_CHECKS == 0:
            self._check_number.set()

    async def _clean(self) -> None:
        await self._run(self._delete_old)
        await self._run(self._delete_surplus)
        next_check = self._clock.now() + CHECK_INTERVAL_SECONDS
        while True:
            with suppress(TimeoutError):  # `wait_for` may lose a cancellation
                async with asyncio.timeout(max(0.0, next_check - self._clock.now())):
                    await self._check_number.wait()
            self._check_number.clear()
            if self._clock.now() >= next_check:
                next_check = self._clock.now() + CHECK_INTERVAL_SECONDS
                await self._run(self._delete_old)
                await self._run(self._erase_deleted)
            await self._run(self._delete_surplus)

    async def _run(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run a step; one that fails is tried again at the next check."""
        try:
            await step()
        except JournalError as error:
            log.warning("retention_failed", reason=str(error))

    async def _delete_old(self) -> None:
        """Delete what is too old."""
        age = self._age.now()
        await self._repeat(partial(_delete_expired, age=age, settings=self._settings))
        await self._repeat(partial(_forget_tokens, before=age - DUPLICATE_SECONDS))

    async def _delete_surplus(self) -> None:
        """Delete the oldest executions if there are too many."""
        await self._repeat(self._delete_some_surplus)

    async def _erase_deleted(self) -> None:
        """Save the journal's age, shrink the file, and empty the write-ahead log.

        The log contains earlier versions of pages, with tokens and inputs.
        """
        await self._writer.run(self._save_age)
        await self._repeat(_shrink)
        await self._writer.run(_empty_log)

    async def _repeat(self, job: Callable[[sqlite3.Connection], object]) -> None:
        """Run a job as long as there is more to do; other writes are in between."""
        while await self._writer.run(job):
            pass

    def _save_age(self, connection: sqlite3.Connection) -> None:
        connection.execute(SAVE_AGE, self._age.values())

    def _delete_some_surplus(self, connection: sqlite3.Connection) -> int:
        values = (self._surplus_checked, MAX_ENDED_EXECUTIONS)
        last = _delete(connection, SELECT_SURPLUS, values)
        self._surplus_checked = last or self._surplus_checked
        return last


def _delete_expired(connection: sqlite3.Connection, age: float, settings: JournalSettings) -> bool:
    """Delete some of the executions that are too old; return whether there may be more."""
    for ending in OutcomeStatus:
        parked = ending is OutcomeStatus.PARKED
        kept = settings.parked_retention if parked else settings.retention
        if _delete(connection, SELECT_EXPIRED, (ending, age - kept)):
            return True
    return False


def _delete(connection: sqlite3.Connection, select: str, values: tuple[Any, ...]) -> int:
    """Delete some of the selected executions; return the last one, or 0 if none was left."""
    numbers = [line["number"] for line in connection.execute(select, (*values, DELETE_BATCH))]
    if not numbers:
        return 0
    until = time.perf_counter() + MAX_BATCH_SECONDS
    last = 0

    def delete() -> None:
        nonlocal last
        connection.execute(SAVE_LAST_NUMBER)
        for number in numbers:
            connection.execute(DELETE_EFFECTS, (number,))
            connection.execute(DELETE, (number,))
            last = number
            if time.perf_counter() > until:
                return

    _commit_without_sync(connection, delete)
    return last


def _forget_tokens(connection: sqlite3.Connection, before: float) -> bool:
    """Delete some of the unique tokens that need not be remembered; return whether to go on."""
    if not connection.execute(HAS_EXPIRED_CALL, (before,)).fetchone():
        return False
    deleted = 0

    def delete() -> None:
        nonlocal deleted
        deleted = connection.execute(FORGET_CALLS, (before, TOKEN_BATCH)).rowcount

    _commit_without_sync(connection, delete)
    return deleted == TOKEN_BATCH


def _shrink(connection: sqlite3.Connection) -> bool:
    """Give some free pages back to the file system; return whether there are more."""
    [free] = connection.execute("PRAGMA freelist_count").fetchone()
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    if free <= max(MIN_FREE_PAGES, (pages - free) // 2):
        return False
    vacuum = f"PRAGMA incremental_vacuum({VACUUM_BATCH})"
    _commit_without_sync(connection, lambda: connection.execute(vacuum).fetchall())
    [left] = connection.execute("PRAGMA freelist_count").fetchone()
    return bool(left < free)


def _commit_without_sync(connection: sqlite3.Connection, change: Callable[[], object]) -> None:
    """Make changes that a loss of power may undo."""
    execute = connection.execute
    [sync] = execute("PRAGMA synchronous").fetchone()
    execute("PRAGMA synchronous = NORMAL")
    try:
        execute("BEGIN IMMEDIATE")
        change()
        execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
    finally:
        execute(f"PRAGMA synchronous = {sync}")


def _empty_log(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
