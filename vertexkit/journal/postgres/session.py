"""One connection to the server, which sends several commands in one round trip."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import TupleRow

from vertexkit.journal.postgres.statements import Statement

BINARY = 1
DONE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})
CANCELLED_WAIT = b"01000"
"""Class of the warning that a commit was not confirmed by its synchronous standbys."""


class ConnectionLost(Exception):
    """The connection has ended. What was sent last may have been carried out."""


class CommandFailed(Exception):
    """The server has reported an error; the transaction is rolled back.

    Args:
        code: the SQLSTATE.
        message: the server's, without values.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} (SQLSTATE {code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Command:
    """A statement with its encoded parameters."""

    statement: Statement | str
    """A text is sent as it is."""
    parameters: Sequence[bytes] = ()


@dataclass(slots=True, eq=False)
class _Batch:
    """Commands that were sent together, and what has been received for them."""

    commands: int
    done: asyncio.Future[list[PGresult]]
    results: list[PGresult] = field(default_factory=list)


class Session:
    """A connection in libpq's pipeline mode; it sends one batch of commands at a time.

    libpq is used directly: a cursor of psycopg for each command takes three to five times as long.

    Args:
        connection: which nothing else uses.
        prepares: prepared statements may be used.
        on_notify: called when another process has announced something.
        on_lost: called with the reason when the connection ends without `close`.
    """

    def __init__(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        *,
        prepares: bool,
        on_notify: Callable[[], object] = lambda: None,
        on_lost: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._pgconn: PGconn = connection.pgconn
        self._prepares = prepares
        self._prepared: set[str] = set()
        self._on_notify = on_notify
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._batch: _Batch | None = None
        self._writing = False
        self._unconfirmed = False
        self._pgconn.notice_handler = self._note
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()
        self._socket = self._pgconn.socket
        self._loop.add_reader(self._socket, self._read)
        self.is_open: bool = True
        self.durable_commit: str = "on"
        """The value of `synchronous_commit` for writes that must survive the server's death."""

    async def run(self, commands: Sequence[Command]) -> list[PGresult]:
        """Send commands together, and return their results when all have been received.

        Commands after one that failed are skipped by the server; their results say so.

        Raises:
            ConnectionLost: what the commands did is unknown.
        """
        if not self.is_open or self._batch is not None:
            raise ConnectionLost("the connection is closed")
        batch = self._batch = _Batch(len(commands), self._loop.create_future())
        try:
            for command in commands:
                self._send(command)
            self._pgconn.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._fail(str(error))
        return await batch.done

    async def execute(self, sql: str) -> None:
        """Run one statement without parameters.

        Raises:
            ConnectionLost: what it did is unknown.
            CommandFailed: the server has reported an error.
        """
        check(await self.run([Command(sql)]))

    async def prepare(self, statements: Sequence[Statement]) -> None:
        """Prepare statements, if they may be prepared."""
        if not self._prepares:
            return
        batch = self._batch = _Batch(len(statements), self._loop.create_future())
        for statement in statements:
            types = [codec.oid for codec in statement.codecs]
            name, sql = statement.name.encode(), statement.sql.encode()
            self._pgconn.send_prepare(name, sql, types)
        self._pgconn.pipeline_sync()
        self._flush()
        check(await batch.done)
        self._prepared.update(statement.name for statement in statements)

    async def close(self) -> None:
        """Close the connection."""
        self._stop()
        if self._batch is not None:
            self._fail_batch("the connection was closed")
        await self._connection.close()

    def _send(self, command: Command) -> None:
        statement, values = command.statement, command.parameters
        formats = [BINARY] * len(values)
        if isinstance(statement, str):
            self._pgconn.send_query_params(statement.encode(), None, result_format=BINARY)
        elif statement.name in self._prepared:
            self._pgconn.send_query_prepared(statement.name.encode(), values, formats, BINARY)
        else:
            types = [codec.oid for codec in statement.codecs]
            self._pgconn.send_query_params(statement.sql.encode(), values, types, formats, BINARY)

    def _flush(self) -> None:
        """Send what the socket takes; the rest follows when it takes more."""
        wants_more = self._pgconn.flush() == 1
        if wants_more and not self._writing:
            self._loop.add_writer(self._socket, self._write)
        elif self._writing and not wants_more:
            self._loop.remove_writer(self._socket)
        self._writing = wants_more

    def _write(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._fail(str(error))

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            if self._batch is not None:
                self._take_results(self._batch)
            while (notification := self._pgconn.notifies()) is not None:
                if notification.be_pid != self._pgconn.backend_pid:
                    self._on_notify()
            if self._batch is None and self._pgconn.status == pq.ConnStatus.BAD:
                self._fail("the server closed the connection")
        except psycopg.Error as error:
            self._fail(str(error))

    def _take_results(self, batch: _Batch) -> None:
        while not self._pgconn.is_busy():
            result = self._pgconn.get_result()
            if result is None:  # between two commands
                if len(batch.results) > batch.commands:
                    raise psycopg.OperationalError("the server sent more than was asked for")
                if self._pgconn.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the server closed the connection")
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                self._batch = None
                if self._unconfirmed:
                    raise psycopg.OperationalError("the standby has not confirmed the commit")
                if not batch.done.done():
                    batch.done.set_result(batch.results)
                return
            batch.results.append(result)

    def _note(self, notice: PGresult) -> None:
        """A commit whose wait for the standby was cancelled may be lost with this server."""
        if notice.error_field(pq.DiagnosticField.SQLSTATE) == CANCELLED_WAIT:
            self._unconfirmed = True

    def _stop(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _fail(self, reason: str) -> None:
        if not self.is_open:
            return
        reason = first_line(reason)
        self._stop()
        self._fail_batch(reason)
        self._pgconn.finish()
        self._on_lost(reason)

    def _fail_batch(self, reason: str) -> None:
        batch, self._batch = self._batch, None
        if batch is not None and not batch.done.done():
            error = next((r for r in batch.results if r.status not in DONE), None)
            text = reason if error is None else f"{reason}: {_message(error)}"
            batch.done.set_exception(ConnectionLost(text))


def check(results: Sequence[PGresult]) -> Sequence[PGresult]:
    """Return the results if all commands succeeded.

    Raises:
        CommandFailed: the first one that did not.
    """
    for result in results:
        if result.status not in DONE:
            code = result.error_field(pq.DiagnosticField.SQLSTATE) or b"?????"
            raise CommandFailed(code.decode(), _message(result))
    return results


def first_line(text: str) -> str:
    """Return the first line of a message of libpq or of the server."""
    return text.strip().partition("\n")[0]


def _message(result: PGresult) -> str:
    message: bytes = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"unknown error"
    return message.decode("utf-8", "replace").strip()
