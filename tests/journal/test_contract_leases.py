"""What every journal promises: one worker at a time, and none for ever."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import Fenced
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Journal, Lease

if TYPE_CHECKING:
    from tests.journal.conftest import Desk

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


async def test_a_silent_worker_loses_what_it_held(desk: "Desk") -> None:
    """What a dead worker held is claimed by another when the lease is over, and not before."""
    lease = await desk.held()
    await desk.journal.record_intent(lease, EFFECT)
    assert await desk.claim("second") == []
    desk.pass_lease()
    taken = await desk.claim_one("second")
    assert taken.execution == lease.execution
    assert (taken.worker, taken.attempt) == ("second", 2)
    assert taken.epoch > lease.epoch
    assert dict(taken.effects) == {0: EFFECT}


async def test_a_dead_worker_gives_its_places_back(desk: "Desk") -> None:
    """An execution whose worker died waits again, and is counted as waiting once it is noticed."""
    await desk.held()
    desk.pass_lease()
    assert await desk.claim("second", loan=0) == []
    assert desk.journal.backlog() == 1
    await desk.claim_one("second")
    assert desk.journal.backlog() == 0


async def test_a_dead_worker_s_completion_goes_on(desk: "Desk") -> None:
    """A result that was being delivered when its worker died is delivered by another."""
    lease = await desk.held()
    await desk.journal.record_result(lease, Result(b"7", "timeout"))
    await desk.journal.begin_completion(lease)
    desk.pass_lease()
    [taken] = await desk.journal.claim("second", {}, 1)
    assert taken.result == Result(b"7", "timeout")
    assert taken.completion_tried
    assert taken.attempt == 1


async def test_a_renewed_lease_holds(desk: "Desk") -> None:
    """A worker that speaks up in time keeps what it has, however long its handler takes."""
    lease = await desk.held()
    for _ in range(4):
        desk.clock.skip_to(desk.clock.now() + 20)
        renewal = await desk.journal.renew("first", [lease.execution.id])
        assert (renewal.lost, renewal.superseded) == (frozenset(), frozenset())
        assert await desk.claim("second") == []
    await desk.journal.record_effect(lease, EFFECT)


async def test_only_what_is_renewed_holds(desk: "Desk") -> None:
    """Of two executions of one worker, the one that it does not name any more is taken over."""
    kept, dropped = await desk.held(), await desk.held()
    desk.clock.skip_to(desk.clock.now() + 20)
    await desk.journal.renew("first", [kept.execution.id])
    desk.clock.skip_to(desk.clock.now() + 20)
    [taken] = await desk.claim("second")
    assert taken.execution.id == dropped.execution.id


async def test_a_worker_learns_what_it_lost(desk: "Desk") -> None:
    """A renewal names what another worker holds by now, and leaves that one's lease alone."""
    lost, kept = await desk.held(), await desk.held()
    desk.clock.skip_to(desk.clock.now() + 20)
    await desk.journal.renew("first", [kept.execution.id])
    desk.clock.skip_to(desk.clock.now() + 20)
    await desk.claim_one("second")
    renewal = await desk.journal.renew("first", [lost.execution.id, kept.execution.id, "f" * 22])
    assert renewal.lost == {lost.execution.id, "f" * 22}
    desk.pass_lease()
    again = await desk.claim("third")
    assert lost.execution.id in {lease.execution.id for lease in again}


async def test_what_was_given_back_is_lost(desk: "Desk") -> None:
    """A worker cannot renew what it has released or settled."""
    released, settled = await desk.held(), await desk.held()
    await desk.journal.release(released, 3600)
    await desk.journal.settle(settled, DONE)
    ids = {released.execution.id, settled.execution.id}
    assert (await desk.journal.renew("first", ids)).lost == ids


@every_write
async def test_an_old_lease_writes_nothing(desk: "Desk", write: Write) -> None:
    """A worker that was taken for dead can change nothing, and is told so at its next write."""
    old = await desk.held()
    desk.pass_lease()
    new = await desk.claim_one("second")
    before = await desk.journal.find(new.execution.id)
    with pytest.raises(Fenced):
        await write(desk.journal, old)
    after = await desk.journal.find(new.execution.id)
    assert after == before
    assert after is not None
    assert after.phase is Phase.RUNNING
    await desk.journal.settle(new, DONE)


@every_write
async def test_an_old_claim_of_the_same_worker_writes_nothing(desk: "Desk", write: Write) -> None:
    """It is the claim that counts, not the worker's name: its older run is shut out too."""
    old = await desk.held()
    await desk.journal.release(old, 0)
    new = await desk.claim_one()
    with pytest.raises(Fenced):
        await write(desk.journal, old)
    assert await desk.claim("second") == []
    await desk.journal.settle(new, DONE)


@every_write
async def test_a_lease_that_was_given_back_writes_nothing(desk: "Desk", write: Write) -> None:
    """After its release an execution is nobody's: the worker that had it can change nothing."""
    lease = await desk.held()
    await desk.journal.release(lease, 3600)
    before = await desk.journal.find(lease.execution.id)
    with pytest.raises(Fenced):
        await write(desk.journal, lease)
    assert await desk.journal.find(lease.execution.id) == before
    assert len(await desk.claim(early=True)) == 1


@every_write
async def test_a_settled_lease_writes_nothing(desk: "Desk", write: Write) -> None:
    """Nothing is written about an execution after its outcome."""
    lease = await desk.held()
    await desk.journal.settle(lease, DONE)
    before = await desk.journal.find(lease.execution.id)
    with pytest.raises(Fenced):
        await write(desk.journal, lease)
    assert await desk.journal.find(lease.execution.id) == before
