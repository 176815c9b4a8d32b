"""Executions whose outcome is on its way to the journal's file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.machine import Disk
from tests.journal.sqlite.slow_machine import DONE, INTENT, SlowMachine, turns
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Query, Record

RESULT = Result(b"7", "rejected")
PARKED = Outcome(OutcomeStatus.PARKED, "rejected", reason="the platform did not accept it")


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowMachine]:
    machine = SlowMachine(tmp_path, Disk(monkeypatch))
    await machine.boot()
    yield machine
    await machine.release_dead_process()


async def settling(machine: SlowMachine, outcome: Outcome) -> tuple[Record, asyncio.Task[None]]:
    """An execution that has just ended, and the writing of its outcome, which the disk holds."""
    journal = machine.journal
    lease = await machine.driver.held()
    await journal.record_intent(lease, INTENT)
    await journal.record_result(lease, RESULT)
    await machine.hold()
    writing = asyncio.create_task(journal.settle(lease, outcome))
    await turns()
    found = await journal.find(lease.execution.id)
    assert found is not None
    return found, writing


@pytest.mark.parametrize("outcome", [DONE, PARKED], ids=["completed", "parked"])
async def test_an_execution_is_known_while_its_outcome_is_written(
    machine: SlowMachine, outcome: Outcome
) -> None:
    """`find` and `search` return it as ended, once, and as they do when its outcome is written."""
    journal = machine.journal
    found, writing = await settling(machine, outcome)
    assert (found.phase, found.outcome) == (Phase.SETTLED, outcome)
    searches = [
        asyncio.ensure_future(journal.search(query))
        for query in (Query(), Query(phase=Phase.SETTLED), Query(phase=Phase.COMPLETING))
    ]
    await turns()
    machine.disk.go_on()
    assert await asyncio.gather(*searches) == [[found], [found], []]
    await writing
    assert await journal.find(found.execution) == found
    assert await journal.search(Query()) == [found]


async def test_a_retry_waits_for_the_outcome(machine: SlowMachine) -> None:
    """An execution that was parked a moment ago is retried with all that was written of it."""
    journal = machine.journal
    found, writing = await settling(machine, PARKED)
    retrying = asyncio.ensure_future(journal.retry(found.execution))
    await turns()
    machine.disk.go_on()
    assert (await retrying).effects[0].kind == INTENT.kind
    await writing
    lease = await machine.driver.claim_one()
    assert (lease.execution.id, lease.result) == (found.execution, RESULT)


async def test_an_execution_is_known_while_it_is_retried(machine: SlowMachine) -> None:
    """A question that begins before a retry and reads the file after it gets an answer."""
    journal = machine.journal
    found, writing = await settling(machine, PARKED)
    machine.disk.go_on()
    await writing
    await machine.hold()
    retrying = asyncio.ensure_future(journal.retry(found.execution))
    finding = [asyncio.ensure_future(journal.find(found.execution)) for _ in range(3)]
    await turns()
    machine.disk.go_on()
    assert None not in await asyncio.gather(*finding)
    await retrying


async def test_one_of_two_retries_counts(machine: SlowMachine) -> None:
    """Of a retry and a drop at the same time, one is refused in a sentence."""
    journal = machine.journal
    found, writing = await settling(machine, PARKED)
    machine.disk.go_on()
    await writing
    first = asyncio.ensure_future(journal.drop(found.execution))
    second = asyncio.ensure_future(journal.drop(found.execution))
    dropped = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(reply, Record | OperationNotAllowed) for reply in dropped)
    with pytest.raises(OperationNotAllowed, match="there is no execution"):
        await journal.retry(found.execution)
