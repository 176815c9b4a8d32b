"""The contract of every journal: what operators retry and drop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.journal.cases import case
from tests.journal.driver import PLENTY, JournalDriver
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Query

PARKED = Outcome(OutcomeStatus.PARKED, "unknown", reason="it may have been sent")
IDS = b'{"message_id":7,"created_at":8}'


async def test_a_running_execution_is_not_dropped(driver: JournalDriver) -> None:
    """Its handler may be sending messages: the operator has to wait, and nothing changes."""
    lease = await driver.held()
    with pytest.raises(OperationNotAllowed, match="is running"):
        await driver.journal.drop(lease.execution.id)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert (record.phase, record.outcome) == (Phase.RUNNING, None)
    await driver.journal.record_intent(lease, Effect(0, "send", "a"))
    await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))


async def test_inputs_are_read_while_they_are_stored(driver: JournalDriver) -> None:
    """The inputs of a call can be read until it ends, and after it is left to an operator."""
    inputs: dict[str, Any] = {"name": "Аня", "amounts": [1, 2.5, None]}
    for outcome in (PARKED, Outcome(OutcomeStatus.COMPLETED, "ok", "204"), None):
        with case(repr(outcome)):
            execution = driver.execution(**inputs)
            await driver.journal.accept(execution, PLENTY)
            if outcome is not None:
                await driver.journal.settle(await driver.claim_one(), outcome)
            kept = outcome is None or outcome is PARKED
            assert await driver.journal.stored_inputs(execution.id) == (inputs if kept else None)
    assert await driver.journal.stored_inputs("f" * 22) is None


async def test_only_what_was_left_to_an_operator_is_retried(driver: JournalDriver) -> None:
    """Everything else is refused for a reason, and does not change."""
    for name in ("unknown", "running", "completed", "gone", "parked, completed"):
        with case(name):
            lease = await driver.held()
            execution = "f" * 22 if name == "unknown" else lease.execution.id
            if name not in {"unknown", "running"}:
                status = OutcomeStatus(name.split(",", maxsplit=1)[0])
                confirmed_by = "204" if "completed" in name else ""
                await driver.journal.settle(lease, Outcome(status, "ok", confirmed_by))
            before = await driver.journal.find(execution)
            for operation in (driver.journal.retry, driver.journal.drop):
                with pytest.raises(OperationNotAllowed, match=execution):
                    await operation(execution)
            assert await driver.journal.find(execution) == before
            assert await driver.claim() == []


async def test_the_history_says_which_run_a_worker_has_claimed(driver: JournalDriver) -> None:
    """Runs are counted from 1; the first claim is not an event of the history."""
    lease = await driver.held()
    for _ in range(2):
        await driver.journal.release(lease, 0.0)
        lease = await driver.claim_one()
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    claims = [event.detail for event in record.history if event.name == "claimed"]
    assert claims == ["run 2, by worker first", "run 3, by worker first"]


async def test_a_call_that_waits_is_dropped(driver: JournalDriver) -> None:
    """Its handler does not run: the next worker completes its block as failed."""
    execution = driver.execution()
    await driver.journal.accept(execution, PLENTY)
    await driver.journal.drop(execution.id)
    lease = await driver.claim_one()
    assert lease.execution.id == execution.id
    assert lease.result is not None
    assert lease.result.code == "dropped"


async def test_the_history_says_what_an_operator_did(driver: JournalDriver) -> None:
    """A retry is an event of the history, and so is the drop of an execution that waits."""
    lease = await driver.held()
    await driver.journal.settle(lease, PARKED)
    names = []
    for operation in (driver.journal.retry, driver.journal.drop):
        await operation(lease.execution.id)
        record = await driver.journal.find(lease.execution.id)
        assert record is not None
        names.append(record.history[-1].name)
    assert names == ["retried_by_operator", "dropped_by_operator"]


async def test_a_retry_repeats_only_what_was_surely_not_done(driver: JournalDriver) -> None:
    """The operator accepts that messages of unknown delivery are not sent again.

    A message that the platform has confirmed keeps its ids, one that it rejected is sent again, and
    so is a step that was interrupted.
    """
    effects = [
        Effect(0, "send", "a", EffectState.CONFIRMED, IDS),
        Effect(1, "send", "b", EffectState.REJECTED),
        Effect(2, "send", "c", EffectState.INTENDED),
        Effect(3, "send", "d", EffectState.UNKNOWN),
        Effect(4, "step:rate", "e", EffectState.INTENDED),
    ]
    lease = await driver.held()
    for effect in effects:
        await driver.journal.record_intent(
            lease, Effect(effect.position, effect.kind, effect.digest)
        )
        if effect.state is not EffectState.INTENDED:
            await driver.journal.record_effect(lease, effect)
    await driver.journal.settle(lease, PARKED)
    await driver.journal.retry(lease.execution.id)
    again = (await driver.claim_one()).effects
    assert again[0] == effects[0]
    assert [again[position].state for position in range(5)] == [
        EffectState.CONFIRMED,
        EffectState.REJECTED,
        EffectState.CONFIRMED,
        EffectState.CONFIRMED,
        EffectState.INTENDED,
    ]


async def test_a_parked_execution_has_the_code_of_its_result_and_of_its_outcome(
    driver: JournalDriver,
) -> None:
    """A retry completes the block with the result as it was recorded, under its own code.

    What operators search for is the code of the outcome, or that of the result if there is none.
    """
    journal, lease = driver.journal, await driver.held()
    execution, result = lease.execution.id, Result(b"7", "ok")
    await journal.record_result(lease, result, completing=True)
    for outcome in (PARKED, Outcome(OutcomeStatus.PARKED, "unreachable", reason="again")):
        await journal.settle(lease, outcome)
        record = await journal.find(execution)
        assert record is not None
        assert (record.result, record.outcome) == (result, outcome)
        assert await journal.search(Query(code=outcome.code)) == [record]
        assert await journal.search(Query(code=result.code)) == []
        retried = await journal.retry(execution)
        assert (retried.result, retried.outcome) == (result, None)
        assert await journal.search(Query(code=outcome.code)) == []
        assert [found.execution for found in await journal.search(Query(code="ok"))] == [execution]
        lease = await driver.claim_one()
        assert lease.result == result
    await journal.settle(lease, PARKED)
    fresh = await journal.retry(execution, fresh=True)
    assert (fresh.result, fresh.outcome) == (None, None)
    lease = await driver.claim_one()
    assert lease.result is None
    await journal.record_result(lease, Result(b"8", "late"), completing=True)
    await journal.settle(lease, Outcome(OutcomeStatus.GONE, "gone"))
    record = await journal.find(execution)
    assert record is not None
    assert record.outcome == Outcome(OutcomeStatus.GONE, "gone")


async def test_an_acknowledged_execution_is_always_known(driver: JournalDriver) -> None:
    """While any change of it is being written, it is found and listed, once."""
    journal, lease = driver.journal, await driver.held()
    execution = lease.execution.id

    async def is_known_during(change: Coroutine[Any, Any, Any]) -> None:
        writing = asyncio.ensure_future(change)
        while not writing.done():
            await asyncio.sleep(0)
            assert await journal.find(execution) is not None
            assert [record.execution for record in await journal.search(Query())] == [execution]
        await writing

    await is_known_during(journal.release(lease, 0.0))
    lease = await driver.claim_one()
    await is_known_during(journal.record_result(lease, Result(b"7")))
    await is_known_during(journal.settle(lease, PARKED))
    await is_known_during(journal.retry(execution))
    lease = await driver.claim_one()
    await is_known_during(journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204")))
