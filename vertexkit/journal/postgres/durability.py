"""Transactions of operators and of events: when they are done, the server cannot forget them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

from vertexkit.journal.postgres.session import CANCELLED_WAIT

WAIT_FOR_DISK = """
SELECT set_config('synchronous_commit', 'on', true)
WHERE current_setting('synchronous_commit') = 'off'
"""
"""For one transaction. A stricter setting than `on` remains."""


@asynccontextmanager
async def durable_transaction(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """A transaction whose commit waits for the disk and for a synchronous standby.

    Raises:
        psycopg.OperationalError: the wait for the standby was cancelled: a failover may lose the
            commit.
    """
    cancelled = list[Diagnostic]()

    def note(notice: Diagnostic) -> None:
        if notice.sqlstate is not None and notice.sqlstate.encode() == CANCELLED_WAIT:
            cancelled.append(notice)

    connection.add_notice_handler(note)
    try:
        async with connection.transaction():
            await connection.execute(WAIT_FOR_DISK)
            yield
    finally:
        connection.remove_notice_handler(note)
    if cancelled:
        raise psycopg.OperationalError("the standby has not confirmed the commit")
