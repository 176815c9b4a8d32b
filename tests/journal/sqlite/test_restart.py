"""The SQLite journal after the death of its process."""

import pytest

from tests.journal.sqlite.restarts import Machine
from vertexkit.errors import Fenced
from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.protocol import Query
from vertexkit.token import Token

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
OPEN = Effect(1, "send", "def")


async def test_waiting_executions_are_restored(machine: Machine) -> None:
    """Executions that waited wait again, in their order, with their whole call."""
    driver = await machine.start()
    calls = [driver.execution(city="Орёл", deep=[1, None, 2.5, {"a": "\u2028"}]) for _ in range(3)]
    for call in calls:
        await driver.journal.accept(call, 10)
    machine.crash()
    driver = await machine.start()
    assert driver.ready_count > 0
    assert driver.journal.backlog() == 3
    leases = await driver.claim()
    assert [lease.execution for lease in leases] == calls
    assert [lease.attempt for lease in leases] == [1, 1, 1]
    assert not any(lease.crashed for lease in leases)


async def test_running_executions_run_again_with_their_effects(machine: Machine) -> None:
    """The next process claims it at once, as another attempt, with all its effects."""
    driver = await machine.start()
    lease = await driver.held()
    await driver.journal.record_intent(lease, Effect(0, "send", "abc"))
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.record_intent(lease, OPEN)
    machine.crash()
    driver = await machine.start()
    [again] = await driver.claim("second")
    assert again.execution == lease.execution
    assert (again.attempt, again.crashed) == (2, True)
    assert again.epoch > lease.epoch
    assert dict(again.effects) == {0: SENT, 1: OPEN}
    with pytest.raises(Fenced):
        await driver.journal.settle(lease, DONE)


async def test_a_fixed_result_is_completed_by_the_next_process(machine: Machine) -> None:
    """The handler does not run again; the lease says whether a completion may have been sent."""
    for tried in (False, True):
        driver = await machine.start()
        lease = await driver.held()
        await driver.journal.record_result(lease, Result(b'{"a":1}', "timeout"), completing=tried)
        machine.crash()
        driver = await machine.start()
        [again] = await driver.journal.claim("second", {}, 1)
        assert (again.result, again.completion_tried) == (Result(b'{"a":1}', "timeout"), tried)
        assert (again.attempt, again.crashed) == (1, False)
        await driver.journal.settle(again, DONE)
        await machine.close()


async def test_settled_executions_stay_settled(machine: Machine) -> None:
    """A settled execution is not run again; its record has neither token nor texts."""
    driver = await machine.start()
    await driver.journal.accept(driver.execution("a-secret-token", city="Орёл"), 1)
    lease = await driver.claim_one()
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.record_effect(
        lease, Effect(1, "step:rate", "", EffectState.CONFIRMED, b'"a result of the author"')
    )
    await driver.journal.record_result(lease, Result(b'{"monthly":8884.88}'), completing=True)
    await driver.journal.settle(lease, DONE)
    before = await driver.journal.find(lease.execution.id)
    await machine.close()
    driver = await machine.start()
    assert await driver.claim() == []
    after = await driver.journal.find(lease.execution.id)
    assert after == before
    assert after is not None
    assert after.outcome == DONE
    kept = b"".join(path.read_bytes() for path in machine.path.parent.glob("journal.db*"))
    for secret in (b"a-secret-token", "Орёл".encode(), b"8884.88", b"of the author"):
        assert secret not in kept


async def test_repeated_calls_keep_their_order(machine: Machine) -> None:
    """The new execution of a repeated call still waits until the old one settles."""
    driver = await machine.start()
    old = await driver.held("again")
    await driver.journal.record_result(old, Result(b"1"), completing=True)
    new = await driver.accept("again")
    machine.crash()
    driver = await machine.start()
    [taken] = await driver.claim()
    assert taken.execution.id == old.execution.id
    assert not await driver.journal.begin_completion(taken)
    assert (await driver.accept("again")).execution == new.execution
    await driver.journal.settle(taken, DONE)
    assert (await driver.claim_one()).execution.id == new.execution


async def test_the_same_call_is_a_duplicate_in_the_next_process_too(machine: Machine) -> None:
    """A call that is repeated after a restart is a duplicate."""
    driver = await machine.start()
    first = await driver.accept("again")
    machine.crash()
    driver = await machine.start()
    again = await driver.accept("again")
    assert (again.execution, again.new) == (first.execution, False)


async def test_a_unique_token_is_remembered(machine: Machine) -> None:
    """With unique tokens, the same call is a duplicate for a day, in the next process too."""
    driver = await machine.start(unique_tokens=True)
    lease = await driver.held("again")
    await driver.journal.settle(lease, DONE)
    await machine.close()
    driver = await machine.start(unique_tokens=True)
    assert not (await driver.accept("again")).new
    machine.clock.skip_to(machine.clock.now() + 25 * 3600)
    assert (await driver.accept("again")).new


async def test_scheduled_executions_stay_scheduled(machine: Machine) -> None:
    """An execution that is scheduled in an hour runs in an hour after a restart too."""
    driver = await machine.start()
    lease = await driver.held()
    released = machine.clock.now()
    await driver.journal.release(lease, 3600, "not in stock")
    machine.crash()
    driver = await machine.start()
    assert driver.journal.backlog() == 1
    [again] = await driver.claim_when_due(within=5000)
    assert 3590 < machine.clock.now() - released < 3900
    assert (again.attempt, again.crashed) == (2, False)


async def test_a_clock_that_was_set_back_delays_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two processes the wall clock may shorten a wait, not extend it."""
    driver = await machine.start()
    lease = await driver.held()
    await driver.journal.release(lease, 60)
    machine.crash()
    real = machine.clock.unix
    monkeypatch.setattr(machine.clock, "unix", lambda: real() - 30 * 86_400)
    began = machine.clock.now()
    driver = await machine.start()
    await driver.claim_when_due(within=1000)
    assert machine.clock.now() - began < 90


async def test_large_calls_are_read_from_the_file(machine: Machine) -> None:
    """A body that is too large for memory is read from the file when it is claimed."""
    driver = await machine.start()
    raw = b'{"text": "' + b"x" * 200_000 + b'"}'
    call = Execution("0" * 22, "loan", Token("large"), {"text": "x" * 200_000}, raw, 1.0)
    await driver.journal.accept(call, 10)
    [lease] = await driver.claim()
    assert lease.execution == call
    machine.crash()
    driver = await machine.start()
    [lease] = await driver.claim()
    assert lease.execution == call


async def test_a_parked_execution_can_be_retried(machine: Machine) -> None:
    """An execution whose block is not completed can be retried by an operator."""
    driver = await machine.start()
    lease = await driver.held()
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.record_intent(lease, OPEN)
    await driver.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "unknown", reason="who knows"))
    await machine.close()
    driver = await machine.start()
    [parked] = await driver.journal.search(Query(status=OutcomeStatus.PARKED))
    assert parked.retryable
    record = await driver.journal.retry(parked.execution)
    assert record.phase is Phase.WAITING
    machine.crash()
    driver = await machine.start()
    again = await driver.claim_one()
    assert again.execution == lease.execution
    assert again.attempt == 1
    assert [effect.state for effect in again.effects.values()] == [EffectState.CONFIRMED] * 2


async def test_old_executions_are_deleted(machine: Machine) -> None:
    """After the retention a record is deleted with its effects; unfinished executions are kept."""
    driver = await machine.start(retention=60)
    lease = await driver.held()
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.settle(lease, DONE)
    waiting = await driver.accept()
    machine.clock.skip_to(machine.clock.now() + 120)
    await machine.close()
    driver = await machine.start(retention=60)
    await driver.journal.search(Query())  # the file is looked through at start, before this
    assert await driver.journal.find(lease.execution.id) is None
    assert await driver.journal.find(waiting.execution) is not None


async def test_suspended_executions_are_restored(machine: Machine) -> None:
    """After a crash, what waits for a time or an event waits for the rest of its time.

    What an event has woken is due at once. Resuming is not counted as an attempt.
    """
    machine.clock.hold_durable_waits()
    driver = await machine.start()
    leases = [await driver.held() for _ in range(3)]
    for lease in leases:
        await driver.journal.record_intent(lease, Effect(0, "wait:go", value=b'{"until":1e12}'))
        await driver.journal.suspend(lease, 3600.0, 1.5)
    await driver.journal.deliver_event(leases[1].execution.id, "go", b'{"a":1}')
    machine.crash()
    driver = await machine.start()
    assert (driver.journal.backlog(), driver.journal.suspended()) == (1, 2)
    [woken] = await driver.claim()
    assert woken.execution == leases[1].execution
    assert (woken.attempt, woken.crashed, woken.ran) == (1, False, 1.5)
    assert [effect.kind for effect in woken.effects.values()] == ["wait:go", "event:go"]
    await driver.journal.deliver_event(leases[2].execution.id, "go", b'{"a":2}')
    [woken] = await driver.claim()
    assert woken.execution == leases[2].execution
    machine.clock.skip_to(machine.clock.now() + 1800)
    machine.crash()
    driver = await machine.start()
    record = await driver.journal.find(leases[0].execution.id)
    assert record is not None
    assert record.phase is Phase.SUSPENDED
    assert record.due_at == pytest.approx(machine.clock.unix() + 1800, abs=60)


async def test_a_rate_counts_the_starts_of_an_earlier_process(machine: Machine) -> None:
    """A restart does not forget the runs that count against a rate, nor the keys of executions."""
    limits = FleetLimits({"loan": BlockLimits(Rate(2, 60.0))})
    driver = await machine.start()
    calls = [driver.execution(key="a") for _ in range(4)]
    for call in calls:
        await driver.journal.accept(call, 10)
    assert len(await driver.journal.claim("first", {"loan": 1}, 9, limits=limits)) == 1
    machine.crash()
    driver = await machine.start()
    machine.clock.hold_durable_waits()
    [crashed] = await driver.journal.claim("second", {"loan": 9}, 9, limits=limits)
    assert (crashed.execution, crashed.crashed) == (calls[0], True)
    assert await driver.journal.claim("second", {"loan": 9}, 9, limits=limits) == []
    machine.clock.skip_to(machine.clock.now() + 61)
    again = await driver.journal.claim("second", {"loan": 9}, 9, limits=limits)
    assert [lease.execution for lease in again] == calls[1:3]


async def test_a_completion_that_is_tried_again_is_not_a_start(machine: Machine) -> None:
    """Another claim of an execution that has a result does not count against the rate."""
    limits = FleetLimits({"loan": BlockLimits(Rate(2, 60.0))})
    driver = await machine.start()
    machine.clock.hold_durable_waits()
    calls = [driver.execution(key="a") for _ in range(2)]
    for call in calls:
        await driver.journal.accept(call, 10)
    [lease] = await driver.journal.claim("first", {"loan": 1}, 9, limits=limits)
    await driver.journal.record_result(lease, Result(b"{}"))
    await driver.journal.release(lease, 0.0)
    [completing] = await driver.journal.claim("first", {}, 9, limits=limits)
    await driver.journal.settle(completing, DONE)
    machine.crash()
    driver = await machine.start()
    [second] = await driver.journal.claim("second", {"loan": 9}, 9, limits=limits)
    assert second.execution == calls[1]
