"""Events that are on their way to the journal's file."""

import asyncio

import pytest

from tests.journal.sqlite.slow_machine import DONE, FullOnce, SlowMachine, turns
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, EffectState, Result
from vertexkit.journal.events import Delivery
from vertexkit.journal.sqlite import writer

WAIT = Effect(0, "wait:payment", value=b'{"until":1e12}')
ENDED = Effect(0, WAIT.kind, "", EffectState.CONFIRMED, WAIT.value)


async def test_an_event_that_may_not_be_stored_is_not_seen(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an event is written, its handler does not see it; after a failure it can come again."""
    driver, journal = slow_machine.driver, slow_machine.journal
    lease = await driver.held()
    execution = lease.execution.id
    await journal.record_intent(lease, WAIT)
    await journal.suspend(lease, 3600, 0.0)
    await slow_machine.hold()
    first = asyncio.ensure_future(journal.deliver_event(execution, "payment", b"1"))
    second = asyncio.ensure_future(journal.deliver_event(execution, "payment", b"1"))
    await turns()
    target = await journal.event_target(execution)
    assert target is not None
    assert [effect.kind for effect in target.effects.values()] == ["wait:payment"]
    assert await driver.claim() == []
    monkeypatch.setattr(writer, "_commit", FullOnce(slow_machine.disk))
    slow_machine.disk.go_on()
    failures = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(failure) for failure in failures] == [JournalUnavailable] * 2
    await slow_machine.rest()
    assert await driver.claim() == []
    assert await journal.deliver_event(execution, "payment", b"2") is Delivery.NEW
    resumed = await driver.claim_one()
    assert [effect.value for effect in resumed.effects.values()] == [WAIT.value, b"2"]


@pytest.mark.parametrize("stored", [True, False])
async def test_the_end_of_a_wait_is_decided_after_its_event_is_written(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """An event that is being written ends its wait if it is stored, and not if that fails."""
    journal = slow_machine.journal
    lease = await slow_machine.driver.held()
    await journal.record_intent(lease, WAIT)
    await slow_machine.hold()
    arriving = asyncio.ensure_future(journal.deliver_event(lease.execution.id, "payment", b"1"))
    await turns()
    ending = asyncio.ensure_future(journal.end_wait(lease, ENDED))
    await turns()
    if not stored:
        monkeypatch.setattr(writer, "_commit", FullOnce(slow_machine.disk))
    slow_machine.disk.go_on()
    event = await ending
    assert (event is not None) is stored
    [delivery] = await asyncio.gather(arriving, return_exceptions=True)
    assert delivery is Delivery.NEW if stored else isinstance(delivery, JournalUnavailable)
    record = await journal.find(lease.execution.id)
    assert record is not None
    wait = EffectState.INTENDED if stored else EffectState.CONFIRMED
    assert record.effects[0].state is wait


async def test_an_execution_whose_outcome_is_being_written_has_ended(
    slow_machine: SlowMachine,
) -> None:
    """Its events are too late; it is not unknown, although the file does not have its outcome."""
    journal = slow_machine.journal
    lease = await slow_machine.driver.held()
    await journal.record_result(lease, Result(b"7"))
    await slow_machine.hold()
    settling = asyncio.ensure_future(journal.settle(lease, DONE))
    await turns()
    target = asyncio.ensure_future(journal.event_target(lease.execution.id))
    delivery = asyncio.ensure_future(journal.deliver_event(lease.execution.id, "payment", b"1"))
    await turns()
    slow_machine.disk.go_on()
    found = await target
    assert found is not None
    assert found.ended
    assert await delivery is Delivery.ENDED
    await settling


async def test_an_event_that_is_written_while_its_execution_ends(slow_machine: SlowMachine) -> None:
    """It is stored once; a repetition after the result is refused."""
    journal = slow_machine.journal
    lease = await slow_machine.driver.held()
    await slow_machine.hold()
    deliver, execution = journal.deliver_event, lease.execution.id
    first = asyncio.ensure_future(deliver(execution, "payment", b"1"))
    await turns()
    ending = asyncio.ensure_future(journal.record_result(lease, Result(b"7")))
    await turns()
    assert await deliver(execution, "payment", b"1") is Delivery.ENDED
    slow_machine.disk.go_on()
    await ending
    assert await first is Delivery.NEW
    record = await journal.find(execution)
    assert record is not None
    assert [effect.value for effect in record.effects] == [b"1"]
