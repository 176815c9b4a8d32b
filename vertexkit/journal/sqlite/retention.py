"""Deletes ended executions that are too old or too many, and erases what they left in the file."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.clock import Clock
from vertexkit.errors import JournalError
from vertexkit.execution import OutcomeStatus
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.deletion import (
    checkpoint,
    delete_selected,
    empty_log,
    forget_starts,
    forget_tokens,
    shrink,
)
from vertexkit.journal.sqlite.schema import (
    SAVE_AGE,
    SELECT_EXPIRED,
    SELECT_SURPLUS,
    SURPLUS_RANGE,
)
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS
from vertexkit.references import error_fields
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor

MAX_ENDED_EXECUTIONS = 100_000
"""Ended executions that are kept, not counting the parked ones."""
CHECK_INTERVAL_SECONDS = 60.0
"""How often ended executions are checked for their age, whatever the load."""
ENDED_BETWEEN_CHECKS = 2000
"""Executions that end between two checks of their number."""
ROWS_PER_STEP = 1000
"""Executions that one step looks at to find those that are too many."""
STEPS_BETWEEN_CHECKPOINTS = 4
"""Steps whose changes are moved into the file together."""
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
        delete_memories: deletes some of the memories of dialogs that are too old, and returns
            whether there may be more.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        age: JournalAge,
        settings: JournalSettings,
        supervisor: Supervisor,
        delete_memories: Callable[[], Awaitable[bool]],
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._age = age
        self._settings = settings
        self._delete_memories = delete_memories
        self._ended = 0
        self._surplus_checked = 0
        """Number up to which no execution is one too many any more."""
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
            log.warning("retention_failed", **error_fields(error))

    async def _delete_old(self) -> None:
        """Delete what is too old."""
        age = self._age.now()
        await self._repeat(partial(_delete_expired, age=age, settings=self._settings))
        await self._repeat(partial(forget_tokens, before=age - DUPLICATE_SECONDS))
        while await self._delete_memories():
            await self._writer.run(checkpoint)
        await self._writer.run(partial(forget_starts, now=self._clock.unix()))

    async def _delete_surplus(self) -> None:
        """Delete the oldest executions if there are too many."""
        await self._repeat(self._delete_some_surplus)

    async def _erase_deleted(self) -> None:
        """Save the journal's age, shrink the file, and empty the write-ahead log.

        The log contains earlier versions of pages, with tokens and inputs.
        """
        await self._writer.run(self._save_age)
        await self._repeat(partial(shrink, min_free_pages=MIN_FREE_PAGES))
        await self._writer.run(checkpoint)
        await self._writer.run(empty_log)  # it has only what was committed since

    async def _repeat(self, step: Callable[[sqlite3.Connection], bool]) -> None:
        """Run a step as long as there is more to do; other writes are in between."""
        steps = 0
        while await self._writer.run(step):
            steps += 1
            if steps % STEPS_BETWEEN_CHECKPOINTS == 0:
                await self._writer.run(checkpoint)

    def _save_age(self, connection: sqlite3.Connection) -> None:
        connection.execute(SAVE_AGE, self._age.values())

    def _delete_some_surplus(self, connection: sqlite3.Connection) -> bool:
        """Look at the next executions that are too many, and delete some of those that may go."""
        [first, last] = connection.execute(
            SURPLUS_RANGE, (self._surplus_checked, MAX_ENDED_EXECUTIONS)
        ).fetchone()
        if first is None or first > last:
            return False
        last = min(last, first + ROWS_PER_STEP - 1)
        deleted = delete_selected(connection, SELECT_SURPLUS, (first, last))
        self._surplus_checked = deleted.last or self._surplus_checked
        if not deleted.more:
            self._surplus_checked = last
        return True


def _delete_expired(connection: sqlite3.Connection, age: float, settings: JournalSettings) -> bool:
    """Delete some of the executions that are too old; return whether there may be more."""
    for ending in OutcomeStatus:
        parked = ending is OutcomeStatus.PARKED
        kept = settings.parked_retention if parked else settings.retention
        if delete_selected(connection, SELECT_EXPIRED, (ending, age - kept)).more:
            return True
    return False
