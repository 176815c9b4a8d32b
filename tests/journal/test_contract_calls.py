"""The contract of every journal: when a repeated call is a duplicate."""

import asyncio

import pytest

from tests.journal.driver import JournalDriver
from vertexkit.errors import QueueFull
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease

pytestmark = pytest.mark.unmeasured

DONE = Outcome(OutcomeStatus.COMPLETED)


async def tried(driver: JournalDriver, token: str) -> Lease:
    """An execution whose completion may have been sent."""
    lease = await driver.held(token)
    await driver.journal.record_result(lease, Result(b"1"))
    assert await driver.journal.begin_completion(lease)
    return lease


async def test_the_same_call_is_a_duplicate_until_its_completion_is_tried(
    driver: JournalDriver,
) -> None:
    """While an execution waits, runs, is scheduled or has a result, the same call is a duplicate."""
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


async def test_simultaneous_equal_calls_are_one_execution(driver: JournalDriver) -> None:
    """Of equal calls at the same moment one is new."""
    answers = await asyncio.gather(*(driver.accept("again") for _ in range(50)))
    assert len({answer.execution for answer in answers}) == 1
    assert [answer.new for answer in answers].count(True) == 1
    assert len(await driver.claim()) == 1


async def test_another_block_or_token_is_another_call(driver: JournalDriver) -> None:
    """Calls are equal if their block and token are equal."""
    for token, block in (("a", "loan"), ("a", "story"), ("b", "loan")):
        assert (await driver.accept(token, block)).new
    assert len(await driver.claim()) == 3


async def test_duplicates_are_recognised_when_the_queue_is_full(driver: JournalDriver) -> None:
    """A duplicate needs no room."""
    first = await driver.accept("again", room=1)
    again = await driver.accept("again", room=1)
    assert (again.execution, again.new) == (first.execution, False)


async def test_after_a_tried_completion_the_same_call_is_new(driver: JournalDriver) -> None:
    """After the first byte of the completion the same call confirms it, and starts another execution."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    assert (new.new, new.supersedes) == (True, old.execution.id)
    assert new.execution != old.execution.id


async def test_a_new_execution_waits_until_the_old_one_settles(driver: JournalDriver) -> None:
    """The successor of a superseded execution can be claimed once that one is settled."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    assert await driver.claim(early=True) == []
    calls = driver.ready_count
    await driver.journal.settle(old, DONE)
    assert driver.ready_count > calls
    lease = await driver.claim_one()
    assert (lease.execution.id, lease.attempt) == (new.execution, 1)
    assert (dict(lease.effects), lease.result, lease.completion_tried) == ({}, None, False)


async def test_a_superseded_execution_sends_no_more(driver: JournalDriver) -> None:
    """No further completion is sent for a superseded execution; a renewal reports it."""
    old = await tried(driver, "again")
    await driver.accept("again")
    renewal = await driver.journal.renew("first", [old.execution.id])
    assert renewal.superseded == {old.execution.id}
    assert renewal.lost == frozenset()
    assert not await driver.journal.begin_completion(old)


async def test_a_superseded_execution_stays_superseded_for_another_worker(
    driver: JournalDriver,
) -> None:
    """A worker that takes over a superseded execution sends nothing either, and settles it."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    driver.pass_lease()
    taken = await driver.claim_one("second")
    assert taken.execution.id == old.execution.id
    assert not await driver.journal.begin_completion(taken)
    await driver.journal.settle(taken, DONE)
    assert (await driver.claim_one("second")).execution.id == new.execution


async def test_a_try_that_never_left_keeps_the_call_a_duplicate(driver: JournalDriver) -> None:
    """After a withdrawn completion the same call is a duplicate again."""
    old = await tried(driver, "again")
    await driver.journal.withdraw_completion(old)
    again = await driver.accept("again")
    assert (again.execution, again.new) == (old.execution.id, False)


async def test_a_third_call_belongs_to_the_second(driver: JournalDriver) -> None:
    """A third equal call is a duplicate of the second one, which waits for the first."""
    old = await tried(driver, "again")
    new = await driver.accept("again")
    third = await driver.accept("again")
    assert (third.execution, third.new) == (new.execution, False)
    await driver.journal.settle(old, DONE)
    fourth = await driver.accept("again")
    assert (fourth.execution, fourth.new) == (new.execution, False)
    assert len(await driver.claim()) == 1


async def test_a_loop_of_equal_calls_runs_each_of_them(driver: JournalDriver) -> None:
    """Each call of a loop supersedes the one before it, and each is run and settled once."""
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


async def test_a_full_queue_refuses_the_next_round(driver: JournalDriver) -> None:
    """A new execution of the same call needs room; if it is rejected, it confirms nothing."""
    old = await tried(driver, "again")
    with pytest.raises(QueueFull):
        await driver.accept("again", room=1)
    assert await driver.journal.begin_completion(old)
    await driver.journal.settle(old, DONE)
    assert await driver.claim() == []


async def test_after_its_end_the_same_call_is_new(driver: JournalDriver) -> None:
    """A call after the execution has settled starts a new execution at once."""
    old = await tried(driver, "again")
    await driver.journal.settle(old, DONE)
    new = await driver.accept("again")
    assert (new.new, new.supersedes) == (True, None)
    assert (await driver.claim_one()).execution.id == new.execution
