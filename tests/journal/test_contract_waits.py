"""The contract of every journal: suspended executions and events."""

import pytest

from tests.journal.cases import case
from tests.journal.driver import JournalDriver
from vertexkit.execution import (
    EVENT_POSITION,
    Effect,
    EffectState,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
    event_signature,
)
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import Lease, Query

HOUR = 3600.0
WAIT = Effect(0, "wait:payment", value=b'{"until":1e12}')
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")


async def after(driver: JournalDriver, seconds: float) -> list[Lease]:
    """Let time pass, and claim what is due."""
    await driver.clock.advance(seconds)
    return await driver.claim_when_due(within=60)


async def suspended(driver: JournalDriver, *waits: Effect, ran: float = 2.5) -> Lease:
    """An execution whose handler waits for an hour, or for an event."""
    driver.clock.hold_durable_waits()
    lease = await driver.held()
    for wait in waits or (WAIT,):
        await driver.journal.record_intent(lease, wait)
    await driver.journal.suspend(lease, HOUR, ran)
    return lease


async def test_a_suspended_execution_is_due_after_its_time(driver: JournalDriver) -> None:
    """It is claimed when its time has passed, not before, and that is not another attempt."""
    lease = await suspended(driver)
    assert await driver.claim() == []
    [resumed] = await after(driver, HOUR)
    assert resumed.execution == lease.execution
    assert (resumed.attempt, resumed.ran, resumed.crashed) == (1, 2.5, False)
    assert resumed.effects[0] == WAIT
    await driver.journal.suspend(resumed, HOUR, 1.5)
    [resumed] = await after(driver, HOUR)
    assert (resumed.attempt, resumed.ran) == (1, 4.0)


async def test_a_suspended_execution_uses_no_room(driver: JournalDriver) -> None:
    """It does not count as backlog, and it is shown as suspended until its time."""
    lease = await suspended(driver)
    assert (driver.journal.backlog(), driver.journal.suspended()) == (0, 1)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert (record.phase, record.worker) == (Phase.SUSPENDED, "")
    assert record.due_at == pytest.approx(driver.clock.unix() + HOUR, abs=60)
    await after(driver, HOUR)
    assert (driver.journal.backlog(), driver.journal.suspended()) == (0, 0)


async def test_a_crash_of_a_resumed_run_is_an_attempt(driver: JournalDriver) -> None:
    """Only the claim that resumes a suspended execution is not counted."""
    await suspended(driver)
    await after(driver, HOUR)
    driver.pass_lease()
    again = await driver.claim_one("second")
    assert (again.attempt, again.crashed) == (2, True)


async def test_an_event_wakes_the_execution_that_waits(driver: JournalDriver) -> None:
    """The event that is waited for makes it due at once; the lease contains the event."""
    lease = await suspended(driver)
    execution = lease.execution.id
    assert await driver.journal.deliver_event(execution, "other", b"{}") is Delivery.NEW
    assert await driver.claim() == []
    assert await driver.journal.deliver_event(execution, "payment", b'{"a":1}') is Delivery.NEW
    [resumed] = await driver.claim()
    events = {at: e for at, e in resumed.effects.items() if at >= EVENT_POSITION}
    assert [(e.kind, e.state, e.value) for e in events.values()] == [
        ("event:other", EffectState.CONFIRMED, b"{}"),
        ("event:payment", EffectState.CONFIRMED, b'{"a":1}'),
    ]
    assert resumed.attempt == 1


async def test_an_execution_whose_wait_is_over_is_waiting(driver: JournalDriver) -> None:
    """Operators see that it waits for a worker from now on, and not for its event."""
    lease = await suspended(driver)
    found = []
    for event in ("other", "payment"):
        await driver.journal.deliver_event(lease.execution.id, event, b"{}")
        record = await driver.journal.find(lease.execution.id)
        assert record is not None
        assert await driver.journal.search(Query(phase=record.phase)) == [record]
        found.append((record.phase, record.due_at is not None))
    assert found == [(Phase.SUSPENDED, True), (Phase.WAITING, False)]


async def test_the_first_event_of_a_name_counts(driver: JournalDriver) -> None:
    """A repetition changes nothing; a discarded event may be delivered again."""
    lease = await driver.held()
    deliver, execution = driver.journal.deliver_event, lease.execution.id
    assert await deliver(execution, "payment", b"1") is Delivery.NEW
    assert await deliver(execution, "payment", b"2") is Delivery.REPEATED
    target = await driver.journal.event_target(execution)
    assert target is not None
    [event] = target.effects.values()
    assert event.value == b"1"
    discarded = Effect(event.position, event.kind, "", EffectState.REJECTED)
    await driver.journal.record_effect(lease, discarded)
    assert await deliver(execution, "payment", b"3") is Delivery.NEW


async def test_an_event_that_came_before_the_wait_wakes_at_once(driver: JournalDriver) -> None:
    """An execution that is suspended for an event that is there already is due at once."""
    driver.clock.hold_durable_waits()
    lease = await driver.held()
    await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
    await driver.journal.record_intent(lease, WAIT)
    await driver.journal.suspend(lease, HOUR, 0.0)
    [resumed] = await driver.claim()
    assert resumed.execution == lease.execution


async def test_either_the_event_or_the_end_of_the_wait_counts(driver: JournalDriver) -> None:
    """After a wait has ended without its event, the event is refused, and the other way round."""
    ended = Effect(0, WAIT.kind, "", EffectState.CONFIRMED, WAIT.value)
    lease = await driver.held()
    await driver.journal.record_intent(lease, WAIT)
    assert await driver.journal.end_wait(lease, ended) is None
    delivery = await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
    assert delivery is Delivery.ENDED

    lease = await driver.held()
    await driver.journal.record_intent(lease, WAIT)
    await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
    event = await driver.journal.end_wait(lease, ended)
    assert event is not None
    assert (event.kind, event.value) == ("event:payment", b"1")
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert record.effects[0].state is EffectState.INTENDED


async def test_the_target_of_an_event(driver: JournalDriver) -> None:
    """The receiver learns the block, the key of the signature and the waits, and that it ended."""
    lease = await suspended(driver)
    target = await driver.journal.event_target(lease.execution.id)
    assert target is not None
    assert (target.block, target.key, target.ended) == ("loan", lease.execution.key, False)
    assert target.waits_for() == {"payment"}
    assert await driver.journal.event_target("0" * 22) is None
    assert await driver.journal.deliver_event("0" * 22, "payment", b"1") is Delivery.UNKNOWN


async def test_the_target_tells_how_another_event_is_answered(driver: JournalDriver) -> None:
    """The receiver checks the data of the first event only: a repetition gets the same answer."""
    lease = await driver.held()
    await driver.journal.record_intent(lease, WAIT)

    async def reply(name: str = "payment") -> Delivery:
        target = await driver.journal.event_target(lease.execution.id)
        assert target is not None
        delivery = target.delivery(name)
        if delivery is not Delivery.NEW:
            assert await driver.journal.deliver_event(lease.execution.id, name, b"2") is delivery
        return delivery

    assert await reply() is Delivery.NEW
    await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
    assert (await reply(), await reply("other")) == (Delivery.REPEATED, Delivery.NEW)
    confirmed = Effect(0, WAIT.kind, "", EffectState.CONFIRMED, WAIT.value)
    await driver.journal.record_effect(lease, confirmed)
    assert await reply() is Delivery.REPEATED
    late = Effect(1, "wait:other", "", EffectState.CONFIRMED, WAIT.value)
    await driver.journal.record_effect(lease, late)
    assert await reply("other") is Delivery.ENDED
    await driver.journal.record_result(lease, Result(b"7"))
    assert await reply() is Delivery.ENDED
    await driver.journal.settle(lease, DONE)
    assert await reply() is Delivery.ENDED


async def test_an_event_for_an_execution_that_has_ended(driver: JournalDriver) -> None:
    """As soon as the handler has returned, its events are refused."""
    for settled in (False, True):
        with case(f"settled: {settled}"):
            lease = await driver.held()
            await driver.journal.record_result(lease, Result(b"7"))
            if settled:
                await driver.journal.settle(lease, DONE)
            target = await driver.journal.event_target(lease.execution.id)
            assert target is not None
            assert target.ended
            delivery = await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
            assert delivery is Delivery.ENDED


async def test_the_data_of_events_is_erased_at_the_end(driver: JournalDriver) -> None:
    """An execution that has ended keeps neither the data of events nor that of waits."""
    lease = await driver.held()
    await driver.journal.deliver_event(lease.execution.id, "payment", b'"4111 1111"')
    confirmed = Effect(0, WAIT.kind, "", EffectState.CONFIRMED, b'{"event":"4111"}')
    await driver.journal.record_effect(lease, confirmed)
    await driver.journal.record_result(lease, Result(b"7"))
    await driver.journal.settle(lease, DONE)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert [effect.value for effect in record.effects] == [b"", b""]


async def test_the_data_of_an_event_that_was_not_waited_for_is_erased(
    driver: JournalDriver,
) -> None:
    """An event that only came, without a wait or a step, is erased with the end too."""
    lease = await driver.held()
    await driver.journal.deliver_event(lease.execution.id, "payment", b'"4111 1111"')
    await driver.journal.record_result(lease, Result(b"7"))
    await driver.journal.settle(lease, DONE)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert [effect.value for effect in record.effects] == [b""]


async def test_an_event_that_the_handler_leaves_unread_wakes_it_once(driver: JournalDriver) -> None:
    """A handler that has the event and is suspended for something else is not run again at once."""
    lease = await suspended(driver)
    await driver.journal.deliver_event(lease.execution.id, "payment", b"1")
    resumed = await driver.claim_one()
    await driver.journal.record_intent(resumed, Effect(1, "sleep", value=b'{"until":1e12}'))
    await driver.journal.suspend(resumed, HOUR, 0.0)
    assert await driver.claim() == []
    [later] = await after(driver, HOUR)
    assert later.execution == lease.execution


async def test_a_repeated_event_after_the_end_is_refused(driver: JournalDriver) -> None:
    """As soon as the handler has returned, a repetition is refused too."""
    lease = await driver.held()
    deliver, execution = driver.journal.deliver_event, lease.execution.id
    assert await deliver(execution, "payment", b"1") is Delivery.NEW
    await driver.journal.record_result(lease, Result(b"7"))
    assert await deliver(execution, "payment", b"1") is Delivery.ENDED


async def test_a_resumed_execution_has_its_call(driver: JournalDriver) -> None:
    """The inputs and the body of the call are in the lease of the run that continues it."""
    driver.clock.hold_durable_waits()
    execution = driver.execution(amount=7)
    await driver.journal.accept(execution, 10)
    await driver.journal.suspend(await driver.claim_one(), HOUR, 0.0)
    [resumed] = await after(driver, HOUR)
    assert (resumed.execution.inputs, resumed.execution.raw) == ({"amount": 7}, execution.raw)


async def test_a_suspended_execution_can_be_dropped(driver: JournalDriver) -> None:
    """An operator gives it up: its block is completed as failed."""
    lease = await suspended(driver)
    record = await driver.journal.drop(lease.execution.id)
    assert record.phase is Phase.WAITING
    [dropped] = await driver.claim()
    assert dropped.result is not None
    assert dropped.result.code == "dropped"


async def test_a_duplicate_call_of_a_suspended_execution(driver: JournalDriver) -> None:
    """The same call again, while the handler waits, is a duplicate."""
    driver.clock.hold_durable_waits()
    lease = await driver.held("token")
    await driver.journal.record_intent(lease, WAIT)
    await driver.journal.suspend(lease, HOUR, 0.0)
    assert not (await driver.accept("token")).new


@pytest.mark.unmeasured
async def test_many_are_suspended_in_the_order_of_their_times(driver: JournalDriver) -> None:
    """Each is due at its own time, whatever the order in which they were suspended."""
    driver.clock.hold_durable_waits()
    leases = [await driver.held() for _ in range(5)]
    for lease, minutes in zip(leases, (50, 10, 40, 20, 30), strict=True):
        await driver.journal.suspend(lease, minutes * 60 - 60, 0.0)
    order = []
    for _ in leases:
        [due] = await after(driver, 600)
        order.append(leases.index(next(x for x in leases if x.execution == due.execution)))
        await driver.journal.settle(due, DONE)
    assert order == [1, 3, 4, 2, 0]


def test_a_signature_depends_on_everything() -> None:
    """Another key, execution or name has another signature; none needs an escape in a URL."""
    calls = [(b"k", "01e", "pay"), (b"l", "01e", "pay"), (b"k", "01f", "pay"), (b"k", "01e", "pa")]
    signatures = {event_signature(*call) for call in calls}
    assert len(signatures) == 4
    assert all(len(s) == 32 and s.replace("-", "").replace("_", "").isalnum() for s in signatures)
