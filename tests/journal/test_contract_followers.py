"""What every journal promises of a call that came again and was given up."""

import pytest

from tests.journal.conftest import Desk
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="call")


@pytest.fixture
async def given_up(desk: Desk) -> str:
    """An execution whose call came again; the new one was dropped before its turn had come."""
    lease = await desk.held("same")
    await desk.journal.record_result(lease, Result(b"{}"), completing=True)
    again = await desk.accept("same")
    assert again.supersedes == lease.execution.id
    for _ in range(2):  # completed as failed, and then not even that
        await desk.journal.drop(again.execution)
    await desk.journal.settle(lease, DONE)
    return again.execution


async def test_what_was_dropped_while_it_waited_for_another_never_starts(
    desk: Desk, given_up: str
) -> None:
    """The end of the one that it followed does not bring it back to life."""
    assert await desk.claim() == []
    desk.pass_lease()
    assert await desk.claim() == []
    record = await desk.journal.find(given_up)
    assert record is not None
    assert (record.phase, record.outcome and record.outcome.code) == (Phase.SETTLED, "dropped")


async def test_the_next_call_still_waits_for_the_one_that_is_under_way(desk: Desk) -> None:
    """A dropped call in between does not let two executions of one call run at once."""
    lease = await desk.held("same")
    await desk.journal.record_result(lease, Result(b"{}"), completing=True)
    second = await desk.accept("same")
    for _ in range(2):
        await desk.journal.drop(second.execution)
    third = await desk.accept("same")
    assert third.supersedes == lease.execution.id
    assert await desk.claim() == []
    await desk.journal.settle(lease, DONE)
    assert (await desk.claim_one()).execution.id == third.execution
