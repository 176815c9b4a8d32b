"""What every journal promises of a call that came again and was given up."""

import pytest

from tests.journal.conftest import JournalDriver
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="call")


@pytest.fixture
async def given_up(driver: JournalDriver) -> str:
    """An execution whose call came again; the new one was dropped before its turn had come."""
    lease = await driver.held("same")
    await driver.journal.record_result(lease, Result(b"{}"), completing=True)
    again = await driver.accept("same")
    assert again.supersedes == lease.execution.id
    for _ in range(2):  # completed as failed, and then not even that
        await driver.journal.drop(again.execution)
    await driver.journal.settle(lease, DONE)
    return again.execution


async def test_what_was_dropped_while_it_waited_for_another_never_starts(
    driver: JournalDriver, given_up: str
) -> None:
    """The end of the one that it followed does not bring it back to life."""
    assert await driver.claim() == []
    driver.pass_lease()
    assert await driver.claim() == []
    record = await driver.journal.find(given_up)
    assert record is not None
    assert (record.phase, record.outcome and record.outcome.code) == (Phase.SETTLED, "dropped")


async def test_the_next_call_still_waits_for_the_one_that_is_under_way(
    driver: JournalDriver,
) -> None:
    """A dropped call in between does not let two executions of one call run at once."""
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
