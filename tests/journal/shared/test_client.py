"""The client of a journal that another process has open."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import ClientWithServer
from vertexkit.journal.shared.client import JournalClient
from vertexkit.testing import VirtualClock


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[JournalDriver]:
    """A client with its server."""
    clock = VirtualClock()
    driver = JournalDriver(ClientWithServer(tmp_path / "journal.db", clock), clock)
    await driver.journal.open(driver)
    yield driver
    await driver.journal.close()


async def test_a_response_to_a_cancelled_request_is_ignored(driver: JournalDriver) -> None:
    """The response may arrive in the moment of the cancellation, or later: the next ones count.

    A claim is cancelled when a process ends; what else it asks for then must be answered.
    """
    client = driver.journal
    assert isinstance(client, JournalClient)
    claiming = asyncio.create_task(driver.claim())
    await asyncio.sleep(0)
    [number] = client._responses
    claiming.cancel()
    client.frame_received([[number, []]])
    with pytest.raises(asyncio.CancelledError):
        await claiming
    client.frame_received([[number, []]])
    accepted = await driver.accept()
    assert (await driver.claim_one()).execution.id == accepted.execution
    assert driver.lost_reasons == []
