"""What every journal promises: when the same call again is a duplicate, and when it is not."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import QueueFull
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease

if TYPE_CHECKING:
    from tests.journal.conftest import Desk

DONE = Outcome(OutcomeStatus.COMPLETED)


async def tried(desk: "Desk", token: str) -> Lease:
    """An execution whose completion may have been sent."""
    lease = await desk.held(token)
    await desk.journal.record_result(lease, Result(b"1"))
    assert await desk.journal.begin_completion(lease)
    return lease


async def test_the_same_call_is_a_duplicate_until_its_completion_is_tried(desk: "Desk") -> None:
    """While it waits, runs, waits to run again or has a result, the same call starts nothing."""
    first = await desk.accept("again")
    answers = [await desk.accept("again")]
    lease = await desk.claim_one()
    answers.append(await desk.accept("again"))
    await desk.journal.release(lease, 3600)
    answers.append(await desk.accept("again"))
    [lease] = await desk.claim(early=True)
    await desk.journal.record_result(lease, Result(b"1"))
    answers.append(await desk.accept("again"))
    for answer in answers:
        assert (answer.execution, answer.new, answer.supersedes) == (first.execution, False, None)
    assert desk.journal.backlog() == 1
    await desk.journal.settle(lease, DONE)
    assert await desk.claim(early=True) == []


async def test_many_of_the_same_call_at_once_are_one_execution(desk: "Desk") -> None:
    """However many come in the same moment, one of them is new."""
    answers = await asyncio.gather(*(desk.accept("again") for _ in range(50)))
    assert len({answer.execution for answer in answers}) == 1
    assert [answer.new for answer in answers].count(True) == 1
    assert len(await desk.claim()) == 1


async def test_another_block_or_token_is_another_call(desk: "Desk") -> None:
    """Both the block and the token make a call."""
    for token, block in (("a", "loan"), ("a", "story"), ("b", "loan")):
        assert (await desk.accept(token, block)).new
    assert len(await desk.claim()) == 3


async def test_a_full_queue_still_knows_its_duplicates(desk: "Desk") -> None:
    """What is kept already needs no room."""
    first = await desk.accept("again", room=1)
    again = await desk.accept("again", room=1)
    assert (again.execution, again.new) == (first.execution, False)


async def test_after_a_tried_completion_the_same_call_is_new(desk: "Desk") -> None:
    """From the first byte of the completion on, the same call confirms it and starts another."""
    old = await tried(desk, "again")
    new = await desk.accept("again")
    assert (new.new, new.supersedes) == (True, old.execution.id)
    assert new.execution != old.execution.id


async def test_the_new_one_waits_for_the_old_one_s_end(desk: "Desk") -> None:
    """A superseded execution's successor is claimed once the old one is settled, not before."""
    old = await tried(desk, "again")
    new = await desk.accept("again")
    assert await desk.claim(early=True) == []
    calls = desk.calls
    await desk.journal.settle(old, DONE)
    assert desk.calls > calls
    lease = await desk.claim_one()
    assert (lease.execution.id, lease.attempt) == (new.execution, 1)
    assert (dict(lease.effects), lease.result, lease.completion_tried) == ({}, None, False)


async def test_a_superseded_execution_sends_no_more(desk: "Desk") -> None:
    """The old one's further tries stop, and its worker hears of it when it renews its lease."""
    old = await tried(desk, "again")
    await desk.accept("again")
    renewal = await desk.journal.renew("first", [old.execution.id])
    assert renewal.superseded == {old.execution.id}
    assert renewal.lost == frozenset()
    assert not await desk.journal.begin_completion(old)


async def test_a_superseded_execution_stays_so_in_other_hands(desk: "Desk") -> None:
    """If its worker dies, whoever takes it over sends nothing either, and sets the new one free."""
    old = await tried(desk, "again")
    new = await desk.accept("again")
    desk.pass_lease()
    taken = await desk.claim_one("second")
    assert taken.execution.id == old.execution.id
    assert not await desk.journal.begin_completion(taken)
    await desk.journal.settle(taken, DONE)
    assert (await desk.claim_one("second")).execution.id == new.execution


async def test_a_try_that_never_left_keeps_the_call_a_duplicate(desk: "Desk") -> None:
    """Once the note of a try is taken back, the platform cannot have read it: nothing is new."""
    old = await tried(desk, "again")
    await desk.journal.withdraw_completion(old)
    again = await desk.accept("again")
    assert (again.execution, again.new) == (old.execution.id, False)


async def test_a_third_call_belongs_to_the_second(desk: "Desk") -> None:
    """While the new one waits for the old one's end, the same call again is its duplicate."""
    old = await tried(desk, "again")
    new = await desk.accept("again")
    third = await desk.accept("again")
    assert (third.execution, third.new) == (new.execution, False)
    await desk.journal.settle(old, DONE)
    fourth = await desk.accept("again")
    assert (fourth.execution, fourth.new) == (new.execution, False)
    assert len(await desk.claim()) == 1


async def test_a_loop_goes_on_and_on(desk: "Desk") -> None:
    """Each round of a loop supersedes the one before it, and each is run and settled once."""
    lease, ids = await tried(desk, "again"), []
    for _ in range(5):
        ids.append(lease.execution.id)
        new = await desk.accept("again")
        assert new.supersedes == lease.execution.id
        await desk.journal.settle(lease, DONE)
        lease = await desk.claim_one()
        await desk.journal.record_result(lease, Result(b"1"))
        await desk.journal.begin_completion(lease)
    assert len({*ids, lease.execution.id}) == 6
    assert desk.journal.backlog() == 1


async def test_a_full_queue_refuses_the_next_round(desk: "Desk") -> None:
    """A new execution of the same call needs room as any other; refused, it confirms nothing."""
    old = await tried(desk, "again")
    with pytest.raises(QueueFull):
        await desk.accept("again", room=1)
    assert await desk.journal.begin_completion(old)
    await desk.journal.settle(old, DONE)
    assert await desk.claim() == []


async def test_after_its_end_the_same_call_is_new(desk: "Desk") -> None:
    """A dialog that reaches a block again after its end gets a new execution, at once."""
    old = await tried(desk, "again")
    await desk.journal.settle(old, DONE)
    new = await desk.accept("again")
    assert (new.new, new.supersedes) == (True, None)
    assert (await desk.claim_one()).execution.id == new.execution
