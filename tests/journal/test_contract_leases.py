"""The contract of every journal: leases."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.journal.cases import case
from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import LEASE
from vertexkit.errors import Fenced
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.protocol import Journal, Lease

DONE = Outcome(OutcomeStatus.COMPLETED)
EFFECT = Effect(0, "send", "abc", EffectState.CONFIRMED, b"{}")
STEPPED = Effect(0, "step:rate", "abc", EffectState.CONFIRMED, b"{}")
MOST_OF_LEASE = LEASE * 2 / 3
Write = Callable[[Journal, Lease], Awaitable[object]]


async def record_message(journal: Journal, lease: Lease) -> None:
    """Record the outcome of a message, and write once more: the error may come with that."""
    await journal.record_effect(lease, EFFECT)
    await journal.record_intent(lease, STEPPED)


WRITES: dict[str, Write] = {
    "record_intent": lambda journal, lease: journal.record_intent(lease, EFFECT),
    "record_effect": lambda journal, lease: journal.record_effect(lease, STEPPED),
    "record_outcome_of_message": record_message,
    "record_result": lambda journal, lease: journal.record_result(lease, Result(b"null")),
    "begin_completion": lambda journal, lease: journal.begin_completion(lease),
    "withdraw_completion": lambda journal, lease: journal.withdraw_completion(lease),
    "refuse_completion": lambda journal, lease: journal.refuse_completion(lease),
    "release": lambda journal, lease: journal.release(lease, 0),
    "release_later": lambda journal, lease: journal.release(lease, 60),
    "suspend": lambda journal, lease: journal.suspend(lease, 60, 1),
    "end_wait": lambda journal, lease: journal.end_wait(lease, EFFECT),
    "write_memory": lambda journal, lease: journal.write_memory(
        lease, EFFECT, DialogKey("demo", 1), DialogMemory(b"{}")
    ),
    "settle": lambda journal, lease: journal.settle(lease, DONE),
}


async def test_an_expired_lease_is_taken_over(driver: JournalDriver) -> None:
    """Executions of a silent worker can be claimed by another after the lease, and not before."""
    lease = await driver.held()
    await driver.journal.record_intent(lease, EFFECT)
    assert await driver.claim("second") == []
    driver.pass_lease()
    taken = await driver.claim_one("second")
    assert taken.execution == lease.execution
    assert (taken.worker, taken.attempt) == ("second", 2)
    assert taken.epoch > lease.epoch
    assert dict(taken.effects) == {0: EFFECT}


async def test_an_execution_of_a_dead_worker_counts_as_backlog(driver: JournalDriver) -> None:
    """An execution whose worker died waits again, and counts as backlog."""
    await driver.held()
    driver.pass_lease()
    assert await driver.claim("second", loan=0) == []
    assert driver.journal.backlog() == 1
    await driver.claim_one("second")
    assert driver.journal.backlog() == 0


async def test_a_completion_of_a_dead_worker_is_taken_over(driver: JournalDriver) -> None:
    """A result that was being sent when its worker died is sent by another one."""
    lease = await driver.held()
    await driver.journal.record_result(lease, Result(b"7", "timeout"))
    await driver.journal.begin_completion(lease)
    driver.pass_lease()
    [taken] = await driver.journal.claim("second", {}, 1)
    assert taken.result == Result(b"7", "timeout")
    assert taken.completion_tried
    assert taken.attempt == 1


async def test_a_renewed_lease_holds(driver: JournalDriver) -> None:
    """A worker that renews its leases keeps its executions."""
    lease = await driver.held()
    for _ in range(4):
        driver.clock.skip_to(driver.clock.now() + MOST_OF_LEASE)
        renewal = await driver.journal.renew("first", [lease.execution.id])
        assert (renewal.lost, renewal.superseded) == (frozenset(), frozenset())
        assert await driver.claim("second") == []
    await driver.journal.record_effect(lease, EFFECT)


async def test_a_lease_that_is_not_renewed_expires(driver: JournalDriver) -> None:
    """Of two executions of a worker, the one that it does not renew is taken over."""
    kept, dropped = await driver.held(), await driver.held()
    driver.clock.skip_to(driver.clock.now() + MOST_OF_LEASE)
    await driver.journal.renew("first", [kept.execution.id])
    driver.clock.skip_to(driver.clock.now() + MOST_OF_LEASE)
    [taken] = await driver.claim("second")
    assert taken.execution.id == dropped.execution.id


async def test_a_renewal_reports_lost_executions(driver: JournalDriver) -> None:
    """A renewal reports the executions that another worker holds, and does not extend their leases."""
    lost, kept = await driver.held(), await driver.held()
    driver.clock.skip_to(driver.clock.now() + MOST_OF_LEASE)
    await driver.journal.renew("first", [kept.execution.id])
    driver.clock.skip_to(driver.clock.now() + MOST_OF_LEASE)
    await driver.claim_one("second")
    renewal = await driver.journal.renew("first", [lost.execution.id, kept.execution.id, "f" * 22])
    assert renewal.lost == {lost.execution.id, "f" * 22}
    driver.pass_lease()
    again = await driver.claim("third")
    assert lost.execution.id in {lease.execution.id for lease in again}


async def test_released_executions_cannot_be_renewed(driver: JournalDriver) -> None:
    """A worker cannot renew what it has released or settled."""
    released, settled = await driver.held(), await driver.held()
    await driver.journal.release(released, 3600)
    await driver.journal.settle(settled, DONE)
    ids = {released.execution.id, settled.execution.id}
    assert (await driver.journal.renew("first", ids)).lost == ids


@pytest.mark.unmeasured
async def test_an_old_lease_writes_nothing(driver: JournalDriver) -> None:
    """A worker whose lease expired cannot change anything: its next write raises Fenced."""
    for name, write in WRITES.items():
        with case(name):
            old = await driver.held()
            driver.pass_lease()
            new = await driver.claim_one("second")
            before = await driver.journal.find(new.execution.id)
            with pytest.raises(Fenced):
                await write(driver.journal, old)
            after = await driver.journal.find(new.execution.id)
            assert after == before
            assert after is not None
            assert after.phase is Phase.RUNNING
            await driver.journal.settle(new, DONE)


async def test_an_old_lease_does_not_affect_what_is_written_with_it(driver: JournalDriver) -> None:
    """Of writes that are made together, exactly those of the lost lease are refused."""
    kept, lost = await driver.held(), await driver.held()
    await driver.journal.release(lost, 3600)
    writes = [(lease, position) for position in range(4) for lease in (kept, lost)]
    results = await asyncio.gather(
        *(
            driver.journal.record_intent(lease, Effect(position, "send", "a"))
            for lease, position in writes
        ),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Fenced] * 4
    record = await driver.journal.find(kept.execution.id)
    assert record is not None
    assert len(record.effects) == 4
    await driver.journal.settle(kept, DONE)


async def test_an_old_claim_of_the_same_worker_writes_nothing(driver: JournalDriver) -> None:
    """The epoch decides, not the worker's id: an older run of the same worker is fenced too."""
    for name, write in WRITES.items():
        with case(name):
            old = await driver.held()
            await driver.journal.release(old, 0)
            new = await driver.claim_one()
            with pytest.raises(Fenced):
                await write(driver.journal, old)
            assert await driver.claim("second") == []
            await driver.journal.settle(new, DONE)


@pytest.mark.unmeasured
async def test_a_released_lease_writes_nothing(driver: JournalDriver) -> None:
    """After its release a worker cannot change an execution."""
    for name, write in WRITES.items():
        with case(name):
            lease = await driver.held()
            await driver.journal.release(lease, 3600)
            before = await driver.journal.find(lease.execution.id)
            with pytest.raises(Fenced):
                await write(driver.journal, lease)
            after = await driver.journal.find(lease.execution.id)
            assert before is not None
            assert after is not None
            # The hour may be over: the clock is virtual, and some writes wait for a thread.
            assert replace(after, due_at=None) == replace(before, due_at=None)
            [again] = await driver.claim(early=True)
            await driver.journal.settle(again, DONE)


@pytest.mark.unmeasured
async def test_a_settled_lease_writes_nothing(driver: JournalDriver) -> None:
    """An execution cannot be changed after its outcome."""
    for name, write in WRITES.items():
        with case(name):
            lease = await driver.held()
            await driver.journal.settle(lease, DONE)
            before = await driver.journal.find(lease.execution.id)
            with pytest.raises(Fenced):
                await write(driver.journal, lease)
            assert await driver.journal.find(lease.execution.id) == before
