"""Ended executions are deleted: after a time, and where there are too many."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

import structlog

from vertexkit.clock import Clock
from vertexkit.errors import JournalError
from vertexkit.journal.sqlite.schema import AGED, FORGET, FORGET_EFFECTS, SURPLUS
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.settings import JournalSettings

KEPT = 100_000
"""Ended executions that are kept, at most, beside the parked ones."""
EVERY = 60.0
"""Seconds between two looks at the age of what is there."""
MANY = 2000
"""Ended executions after which one looks at their number."""
CHUNK = 2000
"""Executions that are deleted in one transaction, at most: others have to wait meanwhile."""

log = structlog.get_logger("vertexkit")


class Retention:
    """Deletes what has ended, a part at a time.

    Args:
        store: of the journal.
        clock: for the age.
        settings: how long ended executions are kept.
    """

    def __init__(self, store: Writer, clock: Clock, settings: JournalSettings) -> None:
        self._writer = store
        self._clock = clock
        self._settings = settings
        self._ended = 0
        self._many = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._clean())

    def stop(self) -> None:
        """Delete nothing more."""
        self._task.cancel()

    def count(self) -> None:
        """One more has ended."""
        self._ended += 1
        if self._ended % MANY == 0:
            self._many.set()

    async def _clean(self) -> None:
        while True:
            now = self._clock.unix()
            try:
                if not self._many.is_set():
                    parked = now - self._settings.parked_retention
                    await self._delete(AGED, parked, now - self._settings.retention)
                self._many.clear()
                await self._delete(SURPLUS, KEPT)
            except (JournalError, sqlite3.Error) as error:
                log.warning("retention_failed", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):  # `wait_for` may swallow that it is cancelled
                    await self._many.wait()

    async def _delete(self, which: str, *values: float) -> None:
        while await self._writer.ask(lambda connection: _delete(connection, which, values)):
            pass


def _delete(connection: sqlite3.Connection, which: str, values: tuple[Any, ...]) -> bool:
    """Delete a part of them; is there more?"""
    numbers = connection.execute(which, (*values, CHUNK)).fetchall()
    if not numbers:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(FORGET_EFFECTS, numbers)
        connection.executemany(FORGET, numbers)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
    return len(numbers) == CHUNK
