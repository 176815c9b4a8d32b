"""Deletes ended executions that are too old or too many."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.clock import Clock
from vertexkit.errors import JournalError
from vertexkit.journal.sqlite.schema import (
    DELETE,
    DELETE_EFFECTS,
    SELECT_EXPIRED,
    SELECT_SURPLUS,
)
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.settings import JournalSettings
from vertexkit.supervision import Supervisor

MAX_ENDED_EXECUTIONS = 100_000
"""Ended executions that are kept, not counting the parked ones."""
CHECK_INTERVAL_SECONDS = 60.0
"""How often ended executions are checked for their age."""
ENDED_BETWEEN_CHECKS = 2000
"""Executions that end between two checks of their number."""
DELETE_BATCH = 2000
"""Executions deleted in one transaction; other writes wait for it."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Retention:
    """Deletes ended executions in batches, in a task of its own.

    Args:
        writer: of the journal.
        clock: for the age.
        settings: of the journal; how long what is kept.
        supervisor: of the task.
    """

    def __init__(
        self, writer: Writer, clock: Clock, settings: JournalSettings, supervisor: Supervisor
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._ended = 0
        self._check_number = asyncio.Event()
        self._supervisor = supervisor
        self._task = supervisor.start("deletion of ended executions", self._clean())

    def stop(self) -> None:
        """Stop deleting."""
        self._supervisor.cancel(self._task)

    def count_ended(self) -> None:
        """Count an execution that has ended."""
        self._ended += 1
        if self._ended % ENDED_BETWEEN_CHECKS == 0:
            self._check_number.set()

    async def _clean(self) -> None:
        while True:
            now = self._clock.unix()
            try:
                if not self._check_number.is_set():
                    parked = now - self._settings.parked_retention
                    await self._delete(SELECT_EXPIRED, parked, now - self._settings.retention)
                self._check_number.clear()
                await self._delete(SELECT_SURPLUS, MAX_ENDED_EXECUTIONS)
            except (JournalError, sqlite3.Error) as error:
                log.warning("retention_failed", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    CHECK_INTERVAL_SECONDS
                ):  # `wait_for` may lose a cancellation
                    await self._check_number.wait()

    async def _delete(self, select: str, *values: float) -> None:
        while await self._writer.run(lambda connection: _delete_batch(connection, select, values)):
            pass


def _delete_batch(connection: sqlite3.Connection, select: str, values: tuple[Any, ...]) -> bool:
    """Delete a batch of the selected executions; return whether there may be more."""
    selected = connection.execute(select, (*values, DELETE_BATCH)).fetchall()
    numbers = [(line["number"],) for line in selected]
    if not numbers:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(DELETE_EFFECTS, numbers)
        connection.executemany(DELETE, numbers)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
    return len(numbers) == DELETE_BATCH
