"""A second connection, for what is done beside the executions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from psycopg.pq.abc import PGresult

from vertexkit.errors import JournalUnavailable
from vertexkit.journal.postgres.session import (
    Command,
    CommandFailed,
    ConnectionLost,
    Session,
    check,
)
from vertexkit.journal.postgres.statements import BEGIN, CONFIGURE, Statement

COMMAND_SECONDS = 10.0
"""How long the server may take for one command."""
NO_ANSWER = (
    *(ConnectionLost, CommandFailed, JournalUnavailable, psycopg.Error, OSError, TimeoutError),
)
"""Errors of a command: it is tried again later."""


class BackgroundConnection:
    """Runs one command after the other, and connects again when it has to.

    Args:
        connect: opens the connection.
        ahead: returns what the service's clock is ahead of real time.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Session]], ahead: Callable[[], float]
    ) -> None:
        self._connect = connect
        self._ahead = ahead
        self._session: Session | None = None
        self._lock = asyncio.Lock()

    async def run(self, statement: Statement, *values: Any) -> PGresult:
        """Run a statement in a transaction of its own, and return its result.

        Raises:
            ConnectionLost: the database cannot be asked.
            CommandFailed: the server has reported an error.
        """
        parameters = statement.encode((self._ahead(), *values))
        commands = [
            Command(BEGIN),
            Command(CONFIGURE, CONFIGURE.encode(("off",))),
            Command(statement, parameters),
            Command("COMMIT"),
        ]
        return (await self._send(commands))[2]

    async def execute(self, sql: str) -> None:
        """Run a statement without parameters, outside of a transaction.

        Raises:
            ConnectionLost: the database cannot be asked.
            CommandFailed: the server has reported an error.
        """
        await self._send([Command(sql)])

    async def wait_idle(self) -> None:
        """Wait until no command runs; another may start at the loop's next turn."""
        async with self._lock:
            pass

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, commands: list[Command]) -> list[PGresult]:
        async with self._lock, asyncio.timeout(COMMAND_SECONDS):
            try:
                if self._session is None or not self._session.is_open:
                    self._session = await self._connect()
                results = await self._session.run(commands)
                check(results)
            except BaseException:  # also a cancellation: answers would be mixed up
                if self._session is not None:
                    await self._session.close()
                raise
        return results
