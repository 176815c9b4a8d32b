"""The connection for the requests of operators."""

import asyncio

import psycopg
import pytest

from tests.journal.postgres.opened import opened
from tests.postgres_server import PostgresServer
from tests.waiting import PATIENCE_SECONDS
from vertexkit.errors import JournalUnavailable
from vertexkit.journal.protocol import Query

REQUEST_WAITS = b"""SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%SELECT id, block%'"""


async def test_a_request_ends_when_the_journal_is_closed(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Also if the server does not answer it: the process must be able to end."""
    connect = psycopg.AsyncConnection.connect
    async with (
        opened(postgres_server, "contract") as driver,
        asyncio.timeout(PATIENCE_SECONDS),
        await connect(postgres_url) as blocking,
        await connect(postgres_url, autocommit=True) as watching,
    ):
        await blocking.execute(b"LOCK TABLE vertexkit.executions IN ACCESS EXCLUSIVE MODE")
        request = asyncio.create_task(driver.journal.search(Query()))
        while not await (await watching.execute(REQUEST_WAITS)).fetchone():
            pass
        closing = asyncio.create_task(driver.journal.close())
        with pytest.raises(JournalUnavailable):
            await request
        await blocking.rollback()
        await closing
