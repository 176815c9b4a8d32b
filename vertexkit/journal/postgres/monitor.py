"""What the processes of a service announce to each other."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import structlog
from psycopg.pq.abc import PGresult
from structlog.typing import FilteringBoundLogger

from vertexkit.journal.postgres.arrays import BIGINT, DOUBLE, TEXT, TEXTS, read_bigint
from vertexkit.journal.postgres.background import NO_ANSWER, BackgroundConnection
from vertexkit.journal.postgres.limits import WAITING, read_waiting
from vertexkit.journal.postgres.retention import delete_old
from vertexkit.journal.postgres.session import CommandFailed, Session
from vertexkit.journal.postgres.statements import Statement, statement
from vertexkit.journal.protocol import JournalObserver
from vertexkit.references import error_fields
from vertexkit.settings import JournalSettings

POLL_SECONDS = 1.0
"""How often the waiting executions are counted: a process learns about those of others then, if no
notification reaches it."""
ANNOUNCE_SECONDS = 0.1
"""Shortest time between two notifications: each holds a lock of the whole database."""
HEARTBEAT_SECONDS = 5.0
"""How often a process reports that it runs, and learns which blocks others serve."""
UNSERVED_SECONDS = 60.0
"""How long no worker must have been seen that serves a block before its executions are parked."""
RETENTION_SECONDS = 10.0
"""How often ended executions are checked for their age and number."""
COUNT_PAUSES = 20
"""How much longer than a count of what waits for limits is the time to the next one."""
LISTEN, NOTIFY = "LISTEN vertexkit_ready", "NOTIFY vertexkit_ready"
"""An execution may be claimable."""

HEARTBEAT = statement(
    "heartbeat",
    """
INSERT INTO vertexkit.workers AS worker
    (worker, host, pid, version, blocks, started_at, seen_at)
VALUES ($2, $3, $4, $5, $6, {now}, {now})
ON CONFLICT (worker) DO UPDATE
SET seen_at = excluded.seen_at, blocks = excluded.blocks, stopped_at = NULL
""",
    *(TEXT, TEXT, BIGINT, TEXT, TEXTS),
)
# A worker may have claimed executions and stop before its first heartbeat.
GOODBYE = statement(
    "goodbye",
    """
INSERT INTO vertexkit.workers AS worker
    (worker, host, pid, version, blocks, started_at, seen_at, stopped_at)
VALUES ($2, $3, $4, $5, $6, {now}, {now}, {now})
ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at, stopped_at = excluded.stopped_at
""",
    *(TEXT, TEXT, BIGINT, TEXT, TEXTS),
)
SERVED = statement(
    "served",
    "SELECT DISTINCT unnest(blocks) FROM vertexkit.workers WHERE seen_at > {now} - $2",
    DOUBLE,
)
DELETE_WORKERS = statement(
    "delete_workers", "DELETE FROM vertexkit.workers WHERE seen_at < {now} - 86400"
)

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


@dataclass(frozen=True, slots=True)
class Counts:
    """Executions of the whole fleet that have not ended."""

    backlog: int = 0
    """They wait for a handler or for the platform."""
    due: int = 0
    """They can be claimed now."""
    suspended: int = 0
    """Their handlers wait."""
    waiting: frozenset[str] = frozenset()
    """Blocks that they wait for."""
    keys: int = 0
    """Number of keys that those with a limit have."""


class Monitor:
    """Counts, listens, announces, registers this process, and deletes.

    No execution depends on it. Where notifications do not arrive, as behind a pooler of
    connections, the count of every `POLL_SECONDS` takes their place.

    Args:
        connect: opens a connection; takes the callback for notifications.
        count: runs `POLL`.
        observer: learns that executions are due.
        ahead: returns what the service's clock is ahead of real time.
        settings: of the journal.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[], object]], Awaitable[Session]],
        count: Callable[[], Awaitable[PGresult]],
        observer: JournalObserver,
        ahead: Callable[[], float],
        settings: JournalSettings,
    ) -> None:
        self.counts: Counts = Counts()
        self.waiting_for_limits: dict[str, int] = {}
        """How many executions wait for a limit, by block."""
        self.connection: BackgroundConnection = BackgroundConnection(self._open, ahead)
        self._connect = connect
        self._count = count
        self._observer = observer
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._opened_at = self._loop.time()
        self._changes = 0
        """Of the backlog by this process, since it was counted."""
        self._suspended_changes = 0
        """The same of the suspended executions."""
        self._polled_at = 0.0
        self._workers: dict[str, tuple[str, ...]] = {}
        self._served: frozenset[str] = frozenset()
        self._wanted = asyncio.Event()
        self._announce_timer: asyncio.TimerHandle | None = None
        self._announced_at = 0.0
        self._announce_now = False
        self._notifies = True
        """The server has notifications."""
        self._poll_at = self._heartbeat_at = self._retention_at = 0.0
        """When each is due, by the loop's clock."""
        self._limits_at = 0.0
        """When what waits for limits may be counted again."""

    async def _open(self) -> Session:
        session = await self._connect(self._observer.ready)
        try:
            await session.execute(LISTEN)
        except CommandFailed as error:  # a database that only speaks PostgreSQL's protocol
            self._notifies = False
            log.debug("journal_notifications_unsupported", **error_fields(error))
        except BaseException:
            await session.close()
            raise
        return session

    def serve(self, worker: str, blocks: Collection[str]) -> None:
        """Register a worker of this process, and the blocks that it has handlers for."""
        if len(self._workers.get(worker, ())) != len(blocks):
            self._workers[worker] = tuple(blocks)
            self._heartbeat_at = 0.0
            self._wanted.set()

    def unserved(self, blocks: Collection[str]) -> set[str]:
        """Return the blocks that executions wait for and that no worker of the fleet serves."""
        if self._loop.time() - self._opened_at < UNSERVED_SECONDS:
            return set()
        return set(self.counts.waiting.difference(blocks, self._served))

    @property
    def backlog(self) -> int:
        """Number of executions that wait for a handler or for the platform."""
        return max(0, self.counts.backlog + self._changes)

    def change_backlog(self, number: int) -> None:
        """This process has added executions to the backlog, or has taken them from it."""
        self._changes += number

    @property
    def suspended(self) -> int:
        """Number of executions whose handlers wait."""
        return max(0, self.counts.suspended + self._suspended_changes)

    def change_suspended(self, number: int) -> None:
        """This process has suspended executions, or has resumed them."""
        self._suspended_changes += number

    def announce(self) -> None:
        """Notify other processes soon that executions may be claimable."""
        if self._announce_timer is None:
            wait = max(0.0, self._announced_at + ANNOUNCE_SECONDS - self._loop.time())
            self._announce_timer = self._loop.call_later(wait, self._announce)

    def _announce(self) -> None:
        self._announce_timer = None
        self._announced_at = self._loop.time()
        self._announce_now = True
        self._wanted.set()

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            try:
                await self._step()
            except NO_ANSWER as error:
                log.debug("journal_poll_failed", **error_fields(error))
            try:
                async with asyncio.timeout(max(0.0, self._poll_at - self._loop.time())):
                    await self._wanted.wait()
            except TimeoutError:
                continue
            self._wanted.clear()

    async def wait_idle(self) -> None:
        """Wait until the server has answered: a heartbeat that it still reads would undo the goodbye."""
        await self.connection.wait_idle()

    async def close(self) -> None:
        """Report that the workers have stopped, and close the connection."""
        if self._announce_timer is not None:
            self._announce_timer.cancel()
        try:
            await self._report(GOODBYE)
        except NO_ANSWER as error:
            log.debug("journal_poll_failed", **error_fields(error))
        await self.connection.close()

    async def poll(self) -> None:
        """Count the executions now.

        Raises:
            JournalUnavailable: the database does not answer.
        """
        result = await self._count()
        backlog = due = suspended = 0
        keys = 0
        waiting = set()
        for row in range(result.ntuples):
            queue = (result.get_value(row, 0) or b"").decode()
            number = read_bigint(result.get_value(row, 1) or b"")
            backlog += number
            due += read_bigint(result.get_value(row, 2) or b"")
            suspended += read_bigint(result.get_value(row, 3) or b"")
            keys += read_bigint(result.get_value(row, 4) or b"")
            if queue and number:
                waiting.add(queue)
        self.counts = Counts(backlog, due, suspended, frozenset(waiting), keys)
        self._changes = self._suspended_changes = 0

    async def _step(self) -> None:
        now = self._loop.time()
        if now >= self._poll_at:
            self._poll_at = now + POLL_SECONDS
            await self.poll()
            if self.counts.due:
                self._observer.ready()
        if now >= self._limits_at and (self.counts.keys or self.waiting_for_limits):
            self.waiting_for_limits = read_waiting(await self.connection.run(WAITING))
            self._limits_at = now + COUNT_PAUSES * (self._loop.time() - now)
        if self._announce_now:
            self._announce_now = False
            if self._notifies:
                await self.connection.execute(NOTIFY)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_SECONDS
            await self._register()
        if now >= self._retention_at:
            self._retention_at = now + RETENTION_SECONDS
            await delete_old(self.connection, self._settings)
            await self.connection.run(DELETE_WORKERS)

    async def _report(self, statement: Statement) -> None:
        """Write a row for each worker of this process."""
        host, version = socket.gethostname(), self._settings.app_version
        for worker, blocks in tuple(self._workers.items()):  # others may join meanwhile
            await self.connection.run(statement, worker, host, os.getpid(), version, blocks)

    async def _register(self) -> None:
        await self._report(HEARTBEAT)
        result = await self.connection.run(SERVED, UNSERVED_SECONDS)
        rows = range(result.ntuples)
        self._served = frozenset((result.get_value(row, 0) or b"").decode() for row in rows)
