"""What every journal promises: when the same call again is a duplicate, and when it is not."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import QueueFull
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease

if TYPE_CHECKING:
    from tests.journal.conftest import JournalDriver

DONE = Outcome(OutcomeStatus.COMPLETED)


async def tried(driver: "JournalDriver", token: str) -> Lease:
    """An execution whose completion may have been sent."""
    lease = await driver.held(token)
    await driver.journal.record_result(lease, Result(b"1"))
    assert await driver.journal.begin_completion(lease)
    return lease


async def test_the_same_call_is_a_duplicate_until_its_completion_is_tried(
    driver: "JournalDriver",
) -> None:
    """While it waits, runs, waits to run again or has a result, the same call starts nothing."""
    first = await driver.accept("again")
    answers = [await driver.accept("again")]
    lease = await driver.claim_one()
    answers.append(await driver.accept("again"))
    await driver.journal.release(lease, 3600)
    answers.append(await driver.accept("again"))
    [lease] = await driver.claim(early=True)
    await driver.journal.record_result(lease, Result(b"1"))
    answers.append(await driver.accept("again"))
    for answer in answers:
        assert (answer.execution, answer.new, answer.supersedes) == (first.execution, False, None)
    assert driver.journal.backlog() == 1
    await driver.journal.settle(lease, DONE)
    assert await driver.claim(early=True) == []


async def test_many_of_the_same_call_at_once_are_one_execution(driver: "JournalDriver") -> None:
    """However many come in the same moment, one of them is new."""
    answers = await asyncio.gather(*(driver.accept("again") for _ in range(50)))
    assert len({answer.execution for answer in answers}) == 1
    assert [answer.new for answer in answers].count(True) == 1
    assert len(await driver.claim()) == 1


async def test_another_block_or_token_is_another_call(driver: "JournalDriver") -> None:
    """Both the block and the token make a call."""
    for token, block in (("a", "loan"), ("a", "story"), ("b", "loan")):
        assert (await driver.accept(token, block)).new
    assert len(await driver.claim()) == 3


async def test_a_full_queue_still_knows_its_duplicates(driver: "JournalDriver") -> None:
    """What is kept already needs no room."""
    first = await driver.accept("again", room=1)
    again = await driver.accept("again", room=1)
    assert (again.execution, again.new) == (first.execution, False)


async def test_after_a_tried_completion_the_same_call_is_new(driver: "JournalDriver") -> None:
    """From the first byte of the completion on, the same call confirms it and starts another."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    assert (new.new, new.supersedes) == (True, old.execution.id)
    assert new.execution != old.execution.id


async def test_the_new_one_waits_for_the_old_one_s_end(driver: "JournalDriver") -> None:
    """A superseded execution's successor is claimed once the old one is settled, not before."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    assert await driver.claim(early=True) == []
    calls = driver.ready_count
    await driver.journal.settle(old, DONE)
    assert driver.ready_count > calls
    lease = await driver.claim_one()
    assert (lease.execution.id, lease.attempt) == (new.execution, 1)
    assert (dict(lease.effects), lease.result, lease.completion_tried) == ({}, None, False)


async def test_a_superseded_execution_sends_no_more(driver: "JournalDriver") -> None:
    """The old one's further tries stop, and its worker hears of it when it renews its lease."""
    old = await tried(driver, "again")
    await driver.accept("again")
    renewal = await driver.journal.renew("first", [old.execution.id])
    assert renewal.superseded == {old.execution.id}
    assert renewal.lost == frozenset()
    assert not await driver.journal.begin_completion(old)


async def test_a_superseded_execution_stays_so_in_other_hands(driver: "JournalDriver") -> None:
    """If its worker dies, whoever takes it over sends nothing either, and sets the new one free."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    driver.pass_lease()
    taken = await driver.claim_one("second")
    assert taken.execution.id == old.execution.id
    assert not await driver.journal.begin_completion(taken)
    await driver.journal.settle(taken, DONE)
    assert (await driver.claim_one("second")).execution.id == new.execution


async def test_a_try_that_never_left_keeps_the_call_a_duplicate(driver: "JournalDriver") -> None:
    """Once the note of a try is taken back, the platform cannot have read it: nothing is new."""
    old = await tried(driver, "again")
    await driver.journal.withdraw_completion(old)
    again = await driver.accept("again")
    assert (again.execution, again.new) == (old.execution.id, False)


async def test_a_third_call_belongs_to_the_second(driver: "JournalDriver") -> None:
    """While the new one waits for the old one's end, the same call again is its duplicate."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    third = await driver.accept("again")
    assert (third.execution, third.new) == (new.execution, False)
    await driver.journal.settle(old, DONE)
    fourth = await driver.accept("again")
    assert (fourth.execution, fourth.new) == (new.execution, False)
    assert len(await driver.claim()) == 1


async def test_a_loop_goes_on_and_on(driver: "JournalDriver") -> None:
    """Each round of a loop supersedes the one before it, and each is run and settled once."""
    lease, ids = await tried(driver, "again"), []
    for _ in range(5):
        ids.append(lease.execution.id)
        new = await driver.accept("again")
        assert new.supersedes == lease.execution.id
        await driver.journal.settle(lease, DONE)
        lease = await driver.claim_one()
        await driver.journal.record_result(lease, Result(b"1"))
        await driver.journal.begin_completion(lease)
    assert len({*ids, lease.execution.id}) == 6
    assert driver.journal.backlog() == 1


async def test_a_full_queue_refuses_the_next_round(driver: "JournalDriver") -> None:
    """A new execution of the same call needs room as any other; refused, it confirms nothing."""
    old = await tried(driver, "again")
    with pytest.raises(QueueFull):
        await driver.accept("again", room=1)
    assert await driver.journal.begin_completion(old)
    await driver.journal.settle(old, DONE)
    assert await driver.claim() == []


async def test_after_its_end_the_same_call_is_new(driver: "JournalDriver") -> None:
    """A dialog that reaches a block again after its end gets a new execution, at once."""
    old = await tried(driver, "again")
    await driver.journal.settle(old, DONE)
    new = await driver.accept("again")
    assert (new.new, new.supersedes) == (True, None)
    assert (await driver.claim_one()).execution.id == new.execution
