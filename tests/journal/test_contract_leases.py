"""What every journal promises: one worker at a time, and none for ever."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import Fenced
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Journal, Lease

if TYPE_CHECKING:
    from tests.journal.conftest import JournalDriver

DONE = Outcome(OutcomeStatus.COMPLETED)
EFFECT = Effect(0, "send", "abc", EffectState.CONFIRMED, b"{}")
Write = Callable[[Journal, Lease], Awaitable[object]]
WRITES: dict[str, Write] = {
    "record_intent": lambda journal, lease: journal.record_intent(lease, EFFECT),
    "record_effect": lambda journal, lease: journal.record_effect(lease, EFFECT),
    "record_result": lambda journal, lease: journal.record_result(lease, Result(b"null")),
    "begin_completion": lambda journal, lease: journal.begin_completion(lease),
    "withdraw_completion": lambda journal, lease: journal.withdraw_completion(lease),
    "release": lambda journal, lease: journal.release(lease, 0),
    "release_later": lambda journal, lease: journal.release(lease, 60),
    "settle": lambda journal, lease: journal.settle(lease, DONE),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


async def test_a_silent_worker_loses_what_it_held(driver: "JournalDriver") -> None:
    """What a dead worker held is claimed by another when the lease is over, and not before."""
    lease = await driver.held()
    await driver.journal.record_intent(lease, EFFECT)
    assert await driver.claim("second") == []
    driver.pass_lease()
    taken = await driver.claim_one("second")
    assert taken.execution == lease.execution
    assert (taken.worker, taken.attempt) == ("second", 2)
    assert taken.epoch > lease.epoch
    assert dict(taken.effects) == {0: EFFECT}


async def test_a_dead_worker_gives_its_places_back(driver: "JournalDriver") -> None:
    """An execution whose worker died waits again, and is counted as waiting once it is noticed."""
    await driver.held()
    driver.pass_lease()
    assert await driver.claim("second", loan=0) == []
    assert driver.journal.backlog() == 1
    await driver.claim_one("second")
    assert driver.journal.backlog() == 0


async def test_a_dead_worker_s_completion_goes_on(driver: "JournalDriver") -> None:
    """A result that was being delivered when its worker died is delivered by another."""
    lease = await driver.held()
    await driver.journal.record_result(lease, Result(b"7", "timeout"))
    await driver.journal.begin_completion(lease)
    driver.pass_lease()
    [taken] = await driver.journal.claim("second", {}, 1)
    assert taken.result == Result(b"7", "timeout")
    assert taken.completion_tried
    assert taken.attempt == 1


async def test_a_renewed_lease_holds(driver: "JournalDriver") -> None:
    """A worker that speaks up in time keeps what it has, however long its handler takes."""
    lease = await driver.held()
    for _ in range(4):
        driver.clock.skip_to(driver.clock.now() + 20)
        renewal = await driver.journal.renew("first", [lease.execution.id])
        assert (renewal.lost, renewal.superseded) == (frozenset(), frozenset())
        assert await driver.claim("second") == []
    await driver.journal.record_effect(lease, EFFECT)


async def test_only_what_is_renewed_holds(driver: "JournalDriver") -> None:
    """Of two executions of one worker, the one that it does not name any more is taken over."""
    kept, dropped = await driver.held(), await driver.held()
    driver.clock.skip_to(driver.clock.now() + 20)
    await driver.journal.renew("first", [kept.execution.id])
    driver.clock.skip_to(driver.clock.now() + 20)
    [taken] = await driver.claim("second")
    assert taken.execution.id == dropped.execution.id


async def test_a_worker_learns_what_it_lost(driver: "JournalDriver") -> None:
    """A renewal names what another worker holds by now, and leaves that one's lease alone."""
    lost, kept = await driver.held(), await driver.held()
    driver.clock.skip_to(driver.clock.now() + 20)
    await driver.journal.renew("first", [kept.execution.id])
    driver.clock.skip_to(driver.clock.now() + 20)
    await driver.claim_one("second")
    renewal = await driver.journal.renew("first", [lost.execution.id, kept.execution.id, "f" * 22])
    assert renewal.lost == {lost.execution.id, "f" * 22}
    driver.pass_lease()
    again = await driver.claim("third")
    assert lost.execution.id in {lease.execution.id for lease in again}


async def test_what_was_given_back_is_lost(driver: "JournalDriver") -> None:
    """A worker cannot renew what it has released or settled."""
    released, settled = await driver.held(), await driver.held()
    await driver.journal.release(released, 3600)
    await driver.journal.settle(settled, DONE)
    ids = {released.execution.id, settled.execution.id}
    assert (await driver.journal.renew("first", ids)).lost == ids


@every_write
async def test_an_old_lease_writes_nothing(driver: "JournalDriver", write: Write) -> None:
    """A worker that was taken for dead can change nothing, and is told so at its next write."""
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


@every_write
async def test_an_old_claim_of_the_same_worker_writes_nothing(
    driver: "JournalDriver", write: Write
) -> None:
    """It is the claim that counts, not the worker's name: its older run is shut out too."""
    old = await driver.held()
    await driver.journal.release(old, 0)
    new = await driver.claim_one()
    with pytest.raises(Fenced):
        await write(driver.journal, old)
    assert await driver.claim("second") == []
    await driver.journal.settle(new, DONE)


@every_write
async def test_a_lease_that_was_given_back_writes_nothing(
    driver: "JournalDriver", write: Write
) -> None:
    """After its release an execution is nobody's: the worker that had it can change nothing."""
    lease = await driver.held()
    await driver.journal.release(lease, 3600)
    before = await driver.journal.find(lease.execution.id)
    with pytest.raises(Fenced):
        await write(driver.journal, lease)
    assert await driver.journal.find(lease.execution.id) == before
    assert len(await driver.claim(early=True)) == 1


@every_write
async def test_a_settled_lease_writes_nothing(driver: "JournalDriver", write: Write) -> None:
    """Nothing is written about an execution after its outcome."""
    lease = await driver.held()
    await driver.journal.settle(lease, DONE)
    before = await driver.journal.find(lease.execution.id)
    with pytest.raises(Fenced):
        await write(driver.journal, lease)
    assert await driver.journal.find(lease.execution.id) == before
