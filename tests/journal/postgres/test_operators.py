"""The connection for the requests of operators."""

import asyncio
from typing import Any

import psycopg
import pytest

from tests.journal.driver import JournalDriver
from tests.waiting import PATIENCE_SECONDS
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

REQUEST_WAITS = b"""SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%executions%'"""


async def test_a_request_ends_when_the_journal_is_closed(postgres_url: str) -> None:
    """Also if the server does not answer it: the process must be able to end."""
    clock: Any = Clock()
    driver = JournalDriver(make_journal(JournalSettings(url=postgres_url), clock), clock)
    await driver.journal.open(driver)
    connect = psycopg.AsyncConnection.connect
    async with (
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
