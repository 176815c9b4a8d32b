"""Executions whose outcome is on its way to the journal's file."""

import asyncio

import pytest

from tests.journal.sqlite.slow_machine import DONE, INTENT, SlowMachine, turns
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Query, Record

RESULT = Result(b"7", "rejected")
PARKED = Outcome(OutcomeStatus.PARKED, "rejected", reason="the platform did not accept it")


async def settling(
    slow_machine: SlowMachine, outcome: Outcome
) -> tuple[Record, asyncio.Task[None]]:
    """An execution that has just ended, and the writing of its outcome, which the disk holds."""
    journal = slow_machine.journal
    lease = await slow_machine.driver.held()
    await journal.record_intent(lease, INTENT)
    await journal.record_result(lease, RESULT)
    await slow_machine.hold()
    writing = asyncio.create_task(journal.settle(lease, outcome))
    await turns()
    found = await journal.find(lease.execution.id)
    assert found is not None
    return found, writing


@pytest.mark.parametrize("outcome", [DONE, PARKED], ids=["completed", "parked"])
async def test_an_execution_is_known_while_its_outcome_is_written(
    slow_machine: SlowMachine, outcome: Outcome
) -> None:
    """`find` and `search` return it as ended, once, and as they do when its outcome is written."""
    journal = slow_machine.journal
    found, writing = await settling(slow_machine, outcome)
    assert (found.phase, found.outcome) == (Phase.SETTLED, outcome)
    searches = [
        asyncio.ensure_future(journal.search(query))
        for query in (Query(), Query(phase=Phase.SETTLED), Query(phase=Phase.COMPLETING))
    ]
    await turns()
    slow_machine.disk.go_on()
    assert await asyncio.gather(*searches) == [[found], [found], []]
    await writing
    assert await journal.find(found.execution) == found
    assert await journal.search(Query()) == [found]


async def test_a_retry_waits_for_the_outcome(slow_machine: SlowMachine) -> None:
    """An execution that was parked a moment ago is retried with all that was written of it."""
    journal = slow_machine.journal
    found, writing = await settling(slow_machine, PARKED)
    retrying = asyncio.ensure_future(journal.retry(found.execution))
    await turns()
    slow_machine.disk.go_on()
    assert (await retrying).effects[0].kind == INTENT.kind
    await writing
    lease = await slow_machine.driver.claim_one()
    assert (lease.execution.id, lease.result) == (found.execution, RESULT)


async def test_an_execution_is_known_while_it_is_retried(slow_machine: SlowMachine) -> None:
    """A question that begins before a retry and reads the file after it gets an answer."""
    journal = slow_machine.journal
    found, writing = await settling(slow_machine, PARKED)
    slow_machine.disk.go_on()
    await writing
    await slow_machine.hold()
    retrying = asyncio.ensure_future(journal.retry(found.execution))
    finding = [asyncio.ensure_future(journal.find(found.execution)) for _ in range(3)]
    await turns()
    slow_machine.disk.go_on()
    assert None not in await asyncio.gather(*finding)
    await retrying


async def test_one_of_two_retries_counts(slow_machine: SlowMachine) -> None:
    """Of a retry and a drop at the same time, one is refused in a sentence."""
    journal = slow_machine.journal
    found, writing = await settling(slow_machine, PARKED)
    slow_machine.disk.go_on()
    await writing
    first = asyncio.ensure_future(journal.drop(found.execution))
    second = asyncio.ensure_future(journal.drop(found.execution))
    dropped = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(reply, (Record, OperationNotAllowed)) for reply in dropped)
    with pytest.raises(OperationNotAllowed, match="there is no execution"):
        await journal.retry(found.execution)
