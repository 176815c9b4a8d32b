"""The contract of every journal: repeated calls that were dropped."""

import pytest

from tests.journal.driver import JournalDriver
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="call")


@pytest.fixture
async def given_up(driver: JournalDriver) -> str:
    """An execution whose call was repeated; the new execution was dropped while it waited."""
    lease = await driver.held("same")
    await driver.journal.record_result(lease, Result(b"{}"), completing=True)
    again = await driver.accept("same")
    assert again.supersedes == lease.execution.id
    for _ in range(2):  # completed as failed, and then not even that
        await driver.journal.drop(again.execution)
    await driver.journal.settle(lease, DONE)
    return again.execution


async def test_an_execution_dropped_while_it_waits_never_starts(
    driver: JournalDriver, given_up: str
) -> None:
    """It does not start when the execution that it followed settles."""
    assert await driver.claim() == []
    driver.pass_lease()
    assert await driver.claim() == []
    record = await driver.journal.find(given_up)
    assert record is not None
    assert (record.phase, record.outcome and record.outcome.code) == (Phase.SETTLED, "dropped")


async def test_the_next_call_waits_for_the_running_one(
    driver: JournalDriver,
) -> None:
    """Dropping the call in between does not make two executions of one call run at once."""
    lease = await driver.held("same")
    await driver.journal.record_result(lease, Result(b"{}"), completing=True)
    second = await driver.accept("same")
    for _ in range(2):
        await driver.journal.drop(second.execution)
    third = await driver.accept("same")
    assert third.supersedes == lease.execution.id
    assert await driver.claim() == []
    await driver.journal.settle(lease, DONE)
    assert (await driver.claim_one()).execution.id == third.execution
