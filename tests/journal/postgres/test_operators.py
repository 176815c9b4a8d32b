"""The connection for the requests of operators."""

import asyncio

import psycopg
import pytest

from tests.journal.postgres.opened import opened
from tests.postgres_server import PostgresServer
from tests.waiting import PATIENCE_SECONDS
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect
from vertexkit.journal.admin import open_admin
from vertexkit.journal.postgres.monitor import LISTEN
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

REQUEST_WAITS = b"""SELECT 1 FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%SELECT id, block%'"""


async def test_an_event_of_a_command_wakes_the_service(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """The processes of the service are notified, though the command has not opened the journal."""
    async with opened(postgres_server, "contract") as driver:
        lease = await driver.held()
        await driver.journal.record_intent(lease, Effect(0, "wait:paid", value=b'{"until":1e12}'))
        await driver.journal.suspend(lease, 3600.0, 0.0)
    connect = psycopg.AsyncConnection.connect
    async with (
        await connect(postgres_url, autocommit=True) as listening,
        open_admin(JournalSettings(url=postgres_url), Clock()) as admin,
    ):
        await listening.execute(LISTEN)
        await admin.deliver_event(lease.execution.id, "paid", b"1")
        notified = [
            notification.channel
            async for notification in listening.notifies(stop_after=1, timeout=PATIENCE_SECONDS)
        ]
    assert notified == ["vertexkit_ready"]


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
