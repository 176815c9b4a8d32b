"""The writing connection, and the group commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
from psycopg.pq.abc import PGresult

from vertexkit.errors import JournalError
from vertexkit.journal.postgres.arrays import BIGINT, TEXT
from vertexkit.journal.postgres.session import (
    Command,
    CommandFailed,
    ConnectionLost,
    Session,
    check,
)
from vertexkit.journal.postgres.statements import BEGIN, CONFIGURE, Statement
from vertexkit.journal.postgres.writes import REPORTS, Group, Write, fenced
from vertexkit.journal.protocol import JournalObserver

ANSWER_SECONDS = 0.4
"""How long a call may wait for the database: after it the call is answered 503."""
GROUP_SECONDS = 10.0
"""How long a group may take: after it the connection is replaced."""
SWEEP_SECONDS = 0.05
"""How often the time of waiting calls is checked."""
RETRY_SECONDS = 0.25
"""Pause before a group is tried again that the server could not store."""
RECONNECT_SECONDS = (0.05, 0.1, 0.2, 0.5)
"""Pauses between attempts to connect; the last one repeats."""
MAX_GROUP = 512
"""Most writes of one transaction."""
CONFLICTS = frozenset({"40001", "40P01", "55P03", "23505"})
"""Two transactions were in each other's way: the next try succeeds."""
MAX_UNFLUSHED = 512
"""Reports that were committed without waiting for the disk, after which a commit waits for it."""
MAX_CONFLICTS = 5
"""Tries of a group after which each of its writes is tried alone."""
SCHEMA_CHANGED = frozenset({"3F000", "42P01", "42703", "42501"})
"""The tables are not there any more, or this role may not use them."""
SHUTTING_DOWN = ("57P", "25006", "08")
"""Starts of SQLSTATEs after which another connection is needed: the server stops, or takes no
writes any more."""
RESOURCES = ("53", "58")
"""Starts of the SQLSTATEs of a full disk, of missing memory, and of a disk that fails."""
IS_OURS = Statement(
    "vertexkit_is_ours",
    "SELECT 1 FROM vertexkit.executions WHERE id = $1 AND epoch = $2 AND worker = ''",
    (TEXT, BIGINT),
)


class Writer:
    """Writes in groups: the changes that wait when a commit ends are in the next one.

    A group is one transaction, sent in one round trip. While there is no connection, calls fail
    after `ANSWER_SECONDS`, and other writes wait. If the connection ends before the answer to a
    commit, the group may have been committed or not: its calls fail, and the caller's repetition is
    recognised; its other writes are repeated, which changes nothing if they had been made.

    A commit without a write that needs `power` does not wait for the disk. A server that dies forgets
    it, while this process lives on: what it reported about effects is written again.

    Args:
        connect: opens the connection.
        observer: of the commits.
        ahead: returns what the service's clock is ahead of real time.
    """

    def __init__(
        self,
        connect: Callable[[Callable[[str], object]], Awaitable[Session]],
        observer: JournalObserver,
        ahead: Callable[[], float],
    ) -> None:
        self.error: str = ""
        """Why the last group failed; empty after one succeeded."""
        self.check_room: bool = False
        """The exact backlog decides whether calls are accepted."""
        self.connections: int = 0
        """How many connections have been opened: what this process has read before the last one, the
        server may have forgotten."""
        self._connect = connect
        self._observer = observer
        self._ahead = ahead
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._writes: list[Write] = []
        self._optional: list[Write] = []
        """Calls whose time is checked."""
        self._unflushed: list[Write] = []
        """Reports since the last commit that has waited for the disk."""
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._started_at: float | None = None
        """When the group that is being written was sent; None: there is none."""
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._sweep_at = 0.0
        self._broken = False

    def write(
        self,
        statement: Statement,
        values: tuple[Any, ...],
        *,
        power: bool = False,
        optional: bool = False,
    ) -> asyncio.Future[Any]:
        """Add a change to the next group.

        Args:
            statement: of the change.
            values: one row of it.
            power: the change must survive the death of the server.
            optional: fail after `ANSWER_SECONDS`, instead of waiting for the database.

        Returns:
            A future that is done when the change is committed. It fails with `Fenced` if the lease
            is not valid any more, and with `JournalUnavailable` if the change was not written.
        """
        done = self._loop.create_future()
        write = Write(statement, values, done, power, optional, self._loop.time())
        if self._broken:
            write.unavailable(self.error)
            return done
        self._writes.append(write)
        if optional:
            self._optional.append(write)
            if self._sweep_timer is None:
                self._sweep_later()
        self._idle.clear()
        self._wanted.set()
        return done

    @property
    def trouble(self) -> str:
        """Why calls cannot be accepted at present; empty if they can."""
        started = self._started_at
        if self.error or started is None or self._loop.time() - started < ANSWER_SECONDS:
            return self.error
        return "the database does not answer"

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            psycopg.Error: the server cannot be reached.
        """
        self._session = await self._connect(self._lost)
        self.connections += 1

    async def run(self) -> None:
        """Write groups until cancelled."""
        while True:
            await self._wanted.wait()
            if self._session is None:
                await self._reconnect()
            await asyncio.sleep(0)  # what was to be woken by the last group has more to write
            group, self._writes = self._writes[:MAX_GROUP], self._writes[MAX_GROUP:]
            group = [write for write in group if not (write.optional and write.done.done())]
            if not self._writes:
                self._wanted.clear()
            if group:
                await self._write_all(group)
            if not self._writes:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until nothing is left to write."""
        await self._idle.wait()

    async def close(self) -> None:
        """Close the connection; what was not written fails."""
        self._broken = True
        self.error = self.error or "the journal is closed"
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._session is not None:
            await self._session.close()
        for write in self._writes:
            write.unavailable(self.error)

    def _sweep(self) -> None:
        """Fail the calls that have waited too long; whether they are written is unknown.

        The time for which this process was blocked does not count: answers that have come meanwhile
        are not read yet.
        """
        limit = self._loop.time() - ANSWER_SECONDS
        late = self._loop.time() - self._sweep_at
        waiting = [write for write in self._optional if not write.done.done()]
        for write in waiting:
            if late > SWEEP_SECONDS:
                write.added_at += late
            if write.added_at <= limit:
                write.unavailable(self.trouble or "the database does not answer in time")
        self._optional = [write for write in waiting if not write.done.done()]
        self._sweep_timer = None
        if self._optional:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweep_at = self._loop.time() + SWEEP_SECONDS
        self._sweep_timer = self._loop.call_at(self._sweep_at, self._sweep)

    def _lost(self, reason: str) -> None:
        self.error = reason
        self._session = None
        self._wanted.set()

    async def _write_all(self, writes: Sequence[Write]) -> None:
        """Write a group; if the server rejects a value in it, write each change alone."""
        if await self._write_group(writes) or self._broken:
            return
        for write in writes:
            if not write.done.done() and not await self._write_group([write]):
                write.fail(JournalError(f"the journal cannot store this: {self.error}"))
                self.error = ""

    async def _write_group(self, writes: Sequence[Write]) -> bool:
        """Write a group, and try again until it is written.

        Returns:
            False: a value cannot be stored.
        """
        remaining = writes
        conflicts = 0
        while remaining and not self._broken:
            if self._session is None:
                await self._reconnect()
            remaining = [w for w in remaining if not (w.optional and w.done.done())]
            if not remaining or self._session is None:
                continue
            group = Group(remaining, self._ahead(), check_room=self.check_room)
            try:
                await self._commit(self._session, group)
            except ConnectionLost as error:
                self._observer.commit_failed()
                remaining = _to_repeat(remaining, str(error))
            except CommandFailed as error:
                self._observer.commit_failed()
                conflicts += error.code in CONFLICTS
                if not await self._recover(remaining, error) or conflicts > MAX_CONFLICTS:
                    return False
            else:
                self.error = ""
                return True
        return True

    async def _commit(self, session: Session, group: Group) -> None:
        """Write a group in one transaction, and report its results."""
        waits = group.is_durable or len(self._unflushed) > MAX_UNFLUSHED
        level = session.durable_commit if waits else "off"
        commands = [
            Command(BEGIN),
            Command(CONFIGURE, CONFIGURE.encode((level,))),
            *group.commands(),
            Command("COMMIT"),
        ]
        self._started_at = started = self._loop.time()
        try:
            results = await self._run_in_time(session, commands)
        finally:
            self._started_at = None
        check(results)
        if waits:
            self._unflushed.clear()
        else:
            self._unflushed += [w for w in group.writes if w.statement.name in REPORTS]
        self._observer.committed(len(group.writes), self._loop.time() - started)
        for write in group.finish(results[2:-1]):
            await self._verify(write)

    async def _run_in_time(self, session: Session, commands: Sequence[Command]) -> list[PGresult]:
        try:
            async with asyncio.timeout(GROUP_SECONDS):
                return await session.run(commands)
        except TimeoutError:
            reason = f"the database did not answer within {GROUP_SECONDS:g} s"
            self._lost(reason)
            await session.close()
            raise ConnectionLost(reason) from None

    async def _verify(self, write: Write) -> None:
        """Find out whether a lease was ended by the first try of its last write, or is lost."""
        values = IS_OURS.encode(write.values[:2])
        if self._session is None:
            raise ConnectionLost(self.error)
        [found] = check(await self._run_in_time(self._session, [Command(IS_OURS, values)]))
        if found.ntuples:
            write.succeed(True)
        else:
            write.fail(fenced(write))

    async def _recover(self, writes: Sequence[Write], error: CommandFailed) -> bool:
        """Prepare the next try of a group that the server has rejected.

        Returns:
            False: another try would fail too.
        """
        self.error = str(error)
        session = self._session
        if error.code.startswith(SHUTTING_DOWN):
            self._lost(self.error)
            if session is not None:
                await session.close()
            return True
        if session is not None:
            try:
                await self._run_in_time(session, [Command("ROLLBACK")])
            except ConnectionLost:
                return True
        if error.code in SCHEMA_CHANGED:
            self._break(writes)
            return True
        if error.code.startswith(RESOURCES):
            for write in writes:
                if write.optional:
                    write.unavailable(self.error)
            await asyncio.sleep(RETRY_SECONDS)
            return True
        return error.code in CONFLICTS

    def _break(self, writes: Sequence[Write]) -> None:
        """Write nothing any more in this process."""
        self._broken = True
        for write in (*writes, *self._writes):
            write.unavailable(self.error)
        self._writes.clear()
        self._observer.lost(self.error)

    async def _reconnect(self) -> None:
        """Connect again, for as long as it takes."""
        attempt = 0
        while self._session is None and not self._broken:
            try:
                async with asyncio.timeout(GROUP_SECONDS):
                    self._session = await self._connect(self._lost)
                self.connections += 1
                self.error = ""
                await self._report_again()
            except (psycopg.Error, ConnectionLost, CommandFailed, OSError) as error:
                self.error = str(error) or "the server does not answer"
                await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])
                attempt += 1

    async def _report_again(self) -> None:
        """Write again what the server may have forgotten; for a lease that is lost, this has no effect."""
        reports, self._unflushed = self._unflushed, []
        for write in reports:
            write.repeated = write.power = True
        if reports:
            await self._write_group(reports)


def _to_repeat(writes: Sequence[Write], reason: str) -> list[Write]:
    """Fail the calls of a group whose outcome is unknown; return its other writes."""
    repeated = []
    for write in writes:
        if write.optional:
            write.unavailable(f"the connection was lost ({reason})")
        else:
            write.repeated = True
            repeated.append(write)
    return repeated
