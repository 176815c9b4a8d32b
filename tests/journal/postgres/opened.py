"""A journal in a server that has faults, and what must hold after them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.journal.driver import JournalDriver
from tests.journal.postgres.load import DONE, Load
from tests.postgres_server import PostgresServer
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

LONG_LEASE_SECONDS, SHORT_LEASE_SECONDS = 300.0, 2.0
"""The short one is for loads, whose worker leaves an execution to the end of its lease when the server
fails; elsewhere a busy machine must not let a lease expire."""
ALL = 100_000


@asynccontextmanager
async def opened(
    server: PostgresServer,
    database: str = "postgres",
    user: str = "postgres",
    lease: float = LONG_LEASE_SECONDS,
) -> AsyncIterator[JournalDriver]:
    """A journal on real time."""
    settings = JournalSettings(url=server.url(database, user), lease=lease)
    clock: Any = Clock()
    driver = JournalDriver(make_journal(settings, clock), clock)
    await driver.journal.open(driver)
    try:
        yield driver
    finally:
        await driver.journal.close()
    assert driver.lost_reasons == []


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the journal has noticed what happened to the server."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it is asked for, not reported
            await asyncio.sleep(0.02)


async def check(driver: JournalDriver, load: Load) -> None:
    """Every acknowledged execution has one outcome, and each message was sent once."""
    records = await driver.journal.search(Query(limit=ALL))
    stored = {record.execution: record for record in records}
    assert load.seen.acknowledged
    assert load.seen.acknowledged <= stored.keys()
    for record in records:
        assert (record.phase, record.outcome) == (Phase.SETTLED, DONE)
    assert {name: number for name, number in load.seen.sent.items() if number > 1} == {}
