"""What operators ask of the journal, over a connection of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg

from vertexkit.errors import JournalError, JournalUnavailable, JournalUnusable
from vertexkit.execution import Effect
from vertexkit.journal.dialog_memory import Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed, require_newest
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.postgres import events, operations, queries
from vertexkit.journal.postgres.database import Database
from vertexkit.journal.postgres.queries import Reading
from vertexkit.journal.postgres.rekeying import rekey_part
from vertexkit.journal.protocol import Lease, Query, Record, WorkerRecord

T = TypeVar("T")


class Operators:
    """Reads and changes executions for operators, one request at a time.

    Args:
        database: of the journal.
        ahead: returns what the process's clock is ahead of real time.
    """

    def __init__(self, database: Database, ahead: Callable[[], float]) -> None:
        self._database = database
        self._ahead = ahead
        self._connection: Reading | None = None
        self._lock = asyncio.Lock()
        self._is_closed = False

    async def find(self, execution: str) -> Record | None:
        """As `JournalAdmin.find`."""
        return await self._run(
            lambda connection: queries.read_one(
                connection, execution, self._ahead(), self._database.cipher
            )
        )

    async def search(self, query: Query) -> list[Record]:
        """As `JournalAdmin.search`."""
        return await self._run(
            lambda connection: queries.search(
                connection, query, self._ahead(), self._database.cipher
            )
        )

    async def workers(self) -> list[WorkerRecord]:
        """As `JournalAdmin.workers`."""
        return await self._run(queries.read_workers)

    async def _run(self, action: Callable[[Reading], Awaitable[T]]) -> T:
        """Run what can be repeated, a second time if the connection was lost since the last request."""
        is_old = self._connection is not None
        try:
            async with self._connected() as connection:
                return await action(connection)
        except JournalUnavailable:
            if not is_old or (self._connection is not None and not self._connection.closed):
                raise
        async with self._connected() as connection:
            return await action(connection)

    async def retry(self, execution: str, *, fresh: bool) -> Record:
        """As `JournalAdmin.retry`."""
        async with self._connected() as connection:
            return await operations.retry(
                connection, execution, self._ahead(), self._database.cipher, fresh=fresh
            )

    async def drop(self, execution: str) -> Record:
        """As `JournalAdmin.drop`."""
        async with self._connected() as connection:
            return await operations.drop(
                connection, execution, self._ahead(), self._database.cipher
            )

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        """As `JournalAdmin.memories`."""
        return await self._run(lambda connection: operations.read_memories(connection, dialog))

    async def forget(self, dialog: int) -> Forgotten:
        """As `JournalAdmin.forget`."""
        async with self._connected() as connection:
            return await operations.forget(connection, dialog)

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        """As `JournalPrivacy.stored_inputs`."""
        return await self._run(
            lambda connection: queries.read_inputs(connection, execution, self._database.cipher)
        )

    async def rekey(self, key: str, after: str) -> Rekeyed:
        """As `JournalAdmin.rekey`."""
        keys, cipher = require_newest(self._database.keys, key), self._database.cipher
        async with self._connected() as connection:
            return await rekey_part(connection, keys, cipher, after)

    async def deliver_event(
        self, execution: str, name: str, data: bytes, *, notify: bool
    ) -> tuple[Delivery, bool]:
        """As `events.deliver`. A repetition has no effect, so it can be tried again."""
        return await self._run(
            lambda connection: events.deliver(
                connection,
                execution,
                name,
                data,
                self._ahead(),
                self._database.cipher,
                notify=notify,
            )
        )

    async def event_target(self, execution: str) -> EventTarget | None:
        """As `JournalEvents.event_target`."""
        return await self._run(
            lambda connection: events.read_target(connection, execution, self._database.cipher)
        )

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        """As `Journal.end_wait`. It can be tried again, as `deliver_event` can."""
        return await self._run(
            lambda connection: events.end_wait(
                connection, lease, effect, self._ahead(), self._database.cipher
            )
        )

    async def close(self) -> None:
        """Close the connection; a request that uses it fails at once, and later ones do too.

        psycopg frees the memory of a connection when it is closed, and a request that still waits for
        an answer would go on using it: the process would crash, or hang. So the request is made to
        end first.
        """
        self._is_closed = True
        connection = self._connection
        if connection is None or connection.closed:
            return  # a request that is connecting closes the connection itself
        _hang_up(connection)
        async with self._lock:
            await connection.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Reading]:
        """Lend the connection; errors of the database are `JournalUnavailable`."""
        async with self._lock:
            try:
                yield await self._open_connection()
            except (psycopg.DataError, ValueError, OverflowError) as error:
                raise JournalError(f"the journal cannot look for this: {error}") from error
            except psycopg.errors.UndefinedTable as error:
                raise JournalUnusable(
                    f"the database {self._database.name} has no schema for the journal: no service "
                    "has run with it yet, or VERTEXKIT_JOURNAL names another database"
                ) from error
            except (psycopg.Error, OSError) as error:
                raise JournalUnavailable(
                    f"the journal cannot be read: {self._database.address.explain(error)}"
                ) from error

    async def _open_connection(self) -> Reading:
        """Return the connection, which is opened if it is not open.

        Raises:
            JournalUnavailable: the journal is closed.
        """
        if self._connection is None or self._connection.closed:
            self._require_open()
            self._connection = await self._database.address.connect_for_reading()
            if self._is_closed:
                await self._connection.close()
        self._require_open()
        return self._connection

    def _require_open(self) -> None:
        if self._is_closed:
            raise JournalUnavailable("the journal is closed")


def _hang_up(connection: Reading) -> None:
    """End a connection without freeing it: who waits for an answer reads the end of the stream."""
    stream = socket.socket(fileno=connection.fileno())
    try:
        stream.shutdown(socket.SHUT_RDWR)
    except OSError:  # the server has closed it
        pass
    finally:
        stream.detach()


class OperatorRequests:
    """The requests of operators that change nothing in memory: all go to `Operators`."""

    _operators: Operators

    async def find(self, execution: str) -> Record | None:
        return await self._operators.find(execution)

    async def search(self, query: Query) -> list[Record]:
        return await self._operators.search(query)

    async def workers(self) -> list[WorkerRecord]:
        return await self._operators.workers()

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        return await self._operators.memories(dialog)

    async def forget(self, dialog: int) -> Forgotten:
        return await self._operators.forget(dialog)

    async def event_target(self, execution: str) -> EventTarget | None:
        return await self._operators.event_target(execution)

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        return await self._operators.stored_inputs(execution)

    async def rekey(self, key: str, after: str) -> Rekeyed:
        return await self._operators.rekey(key, after)
