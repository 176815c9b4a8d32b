"""Groups of writes: values that the server rejects, and what is not written when the journal is closed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.opened import opened
from tests.postgres_server import PostgresServer
from vertexkit.clock import Clock
from vertexkit.errors import JournalError, JournalUnavailable
from vertexkit.journal.postgres.session import CommandFailed

TABLE = "ALTER TABLE vertexkit.executions"


@pytest.fixture
async def driver(
    postgres_server: PostgresServer, postgres_url: str
) -> AsyncIterator[JournalDriver]:
    del postgres_url  # it empties the journal
    async with opened(postgres_server, "contract") as driver:
        yield driver


@pytest.fixture
def rejecting(driver: JournalDriver, postgres_server: PostgresServer) -> Iterator[None]:
    """The table rejects executions of the block `forbidden`."""

    def alter(action: str) -> None:
        postgres_server.sql(f"{TABLE} {action}", database="contract")

    alter("ADD CONSTRAINT allowed CHECK (block <> 'forbidden')")
    yield
    alter("DROP CONSTRAINT allowed")


@pytest.mark.usefixtures("rejecting")
async def test_a_value_that_the_server_rejects_fails_alone(driver: JournalDriver) -> None:
    """The other writes of its group are written, and the journal accepts calls afterwards."""
    results = await asyncio.gather(
        driver.accept(),
        driver.accept(block="forbidden"),
        driver.accept(),
        return_exceptions=True,
    )
    assert [isinstance(result, JournalError) for result in results] == [False, True, False]
    assert "the journal cannot store this" in str(results[1])
    assert "allowed" in str(results[1])
    assert driver.journal.unavailable_reason() == ""
    assert len(await driver.claim()) == 2


async def test_a_closed_journal_rejects_writes(driver: JournalDriver) -> None:
    """A call that comes too late is not acknowledged, and its error says why."""
    await driver.journal.close()
    with pytest.raises(JournalUnavailable, match="the journal is closed"):
        await driver.accept()


async def test_the_end_of_a_wait_has_a_timer(driver: JournalDriver) -> None:
    """The process that has suspended an execution claims it when it is due, not at the next count."""
    lease = await driver.held()
    with mock.patch.object(Clock, "timer", autospec=True, side_effect=Clock.timer) as timer:
        await driver.journal.suspend(lease, 3600.0, 0.0)
    timer.assert_any_call(mock.ANY, 3600.0, mock.ANY)


async def test_a_server_that_shuts_down_while_the_connection_is_lost_rejects_no_value(
    driver: JournalDriver,
) -> None:
    """The group is written again when the server runs again, also if the connection is lost first."""
    await driver.journal.close()
    journal: Any = driver.journal
    writer = journal._writer
    writer._lost("the connection was lost")
    assert await writer._recover([], CommandFailed("57P01", "terminating connection"))
