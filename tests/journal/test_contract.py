"""The contract of every journal: an execution from its acceptance to its outcome."""

import asyncio
import pickle

import pytest

from tests.journal.driver import JournalDriver
from vertexkit.errors import Fenced, QueueFull
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result

pytestmark = pytest.mark.unmeasured

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
RESULT = Result(b'{"monthly":8884.88}')
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
STEPPED = Effect(1, "step:rate", "", EffectState.CONFIRMED, b'"a result of the author"')


async def test_an_accepted_execution_is_stored_and_announced(driver: JournalDriver) -> None:
    """An accepted execution can be found, counts as backlog, and the observer is notified."""
    execution = driver.execution()
    before = driver.ready_count
    acceptance = await driver.journal.accept(execution, 1)
    assert (acceptance.execution, acceptance.new) == (execution.id, True)
    assert acceptance.supersedes is None
    assert driver.ready_count > before
    assert driver.journal.backlog() == 1
    record = await driver.journal.find(execution.id)
    assert record is not None
    assert (record.block, record.phase, record.attempts) == ("loan", Phase.WAITING, 0)
    assert (record.accepted_at, record.outcome) == (execution.accepted_at, None)


async def test_a_claim_returns_the_whole_call(driver: JournalDriver) -> None:
    """A worker gets the whole call unchanged, as the first attempt."""
    execution = driver.execution(city="Орёл", nested={"deep": [1, None, 2.5]})
    await driver.journal.accept(execution, 1)
    lease = await driver.claim_one()
    assert lease.execution == execution
    assert lease.execution.token.reveal() == execution.token.reveal()
    assert (lease.worker, lease.attempt, dict(lease.effects)) == ("first", 1, {})
    assert (lease.result, lease.completion_tried) == (None, False)


async def test_executions_are_claimed_in_the_order_of_acceptance(driver: JournalDriver) -> None:
    """Within a block, the oldest executions are claimed first, up to the limit."""
    ids = [(await driver.accept()).execution for _ in range(5)]
    first = await driver.claim(limit=2)
    rest = await driver.claim(limit=9)
    assert [lease.execution.id for lease in [*first, *rest]] == ids
    assert len(first) == 2


async def test_a_block_gets_no_more_than_its_room(driver: JournalDriver) -> None:
    """A block without room waits; other blocks are claimed."""
    for block in ("loan", "loan", "story", "loan"):
        await driver.accept(block=block)
    claimed = await driver.claim(loan=1)
    assert sorted(lease.execution.block for lease in claimed) == ["loan", "story"]
    assert await driver.claim(loan=0) == []
    assert len(await driver.claim()) == 2


async def test_a_block_that_is_not_served_is_not_claimed(driver: JournalDriver) -> None:
    """A worker claims only blocks that it has a handler for."""
    await driver.accept(block="loan")
    assert await driver.journal.claim("first", {"story": 5}, 5) == []
    assert len(await driver.claim()) == 1


async def test_nothing_is_claimed_twice(driver: JournalDriver) -> None:
    """Two workers that claim at once get different executions."""
    ids = [(await driver.accept()).execution for _ in range(20)]
    shares = await asyncio.gather(*(driver.claim(w, limit=7) for w in ("a", "b", "c", "d")))
    claimed = [lease.execution.id for share in shares for lease in share]
    assert sorted(claimed) == sorted(ids)


async def test_a_full_queue_stores_nothing(driver: JournalDriver) -> None:
    """A call that is rejected by a full queue is not stored."""
    await driver.accept()
    refused = driver.execution()
    with pytest.raises(QueueFull):
        await driver.journal.accept(refused, 1)
    assert driver.journal.backlog() == 1
    assert await driver.journal.find(refused.id) is None
    assert len(await driver.claim()) == 1


async def test_running_executions_do_not_count_as_backlog(driver: JournalDriver) -> None:
    """The backlog counts executions that wait for a handler or for the platform."""
    lease = await driver.held()
    assert driver.journal.backlog() == 0
    await driver.journal.record_result(lease, RESULT)
    assert driver.journal.backlog() == 1
    with pytest.raises(QueueFull):
        await driver.accept(room=1)
    await driver.journal.settle(lease, DONE)
    assert driver.journal.backlog() == 0


async def test_effects_are_available_to_the_next_run(driver: JournalDriver) -> None:
    """The next run gets each effect as last recorded."""
    lease = await driver.held()
    intended = Effect(SENT.position, SENT.kind, SENT.digest)
    lost = Effect(2, "send", "def")
    await driver.journal.record_intent(lease, intended)
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.record_effect(lease, STEPPED)
    await driver.journal.record_intent(lease, lost)
    await driver.journal.release(lease, 0)
    again = await driver.claim_one()
    assert again.attempt == 2
    assert again.epoch > lease.epoch
    assert dict(again.effects) == {0: SENT, 1: STEPPED, 2: lost}
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert sorted(record.effects, key=lambda effect: effect.position) == [SENT, STEPPED, lost]


async def test_effects_may_be_far_apart(driver: JournalDriver) -> None:
    """Positions may have gaps: those of a failure hook are far from the handler's."""
    lease = await driver.held()
    far = Effect(1_000_000, "send", "abc", EffectState.UNKNOWN)
    await driver.journal.record_intent(lease, Effect(1_000_000, "send", "abc"))
    await driver.journal.record_effect(lease, far)
    await driver.journal.release(lease, 0)
    assert dict((await driver.claim_one()).effects) == {1_000_000: far}


async def test_a_fixed_result_needs_no_handler(driver: JournalDriver) -> None:
    """An execution with a recorded result is claimed without room, only to be completed."""
    lease = await driver.held()
    await driver.journal.record_result(lease, RESULT)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert (record.phase, record.result) == (Phase.COMPLETING, RESULT)
    await driver.journal.release(lease, 0)
    [again] = await driver.journal.claim("second", {}, 1)
    assert again.result == RESULT
    assert (again.attempt, again.completion_tried) == (1, False)
    assert again.epoch > lease.epoch


async def test_a_completion_request_is_recorded(driver: JournalDriver) -> None:
    """The next worker knows whether a completion may have reached the platform."""
    lease = await driver.held()
    await driver.journal.record_result(lease, RESULT)
    for sent in (True, False, True):
        if sent:
            assert await driver.journal.begin_completion(lease)
        else:
            await driver.journal.withdraw_completion(lease)
        await driver.journal.release(lease, 0)
        lease = await driver.claim_one()
        assert lease.completion_tried is sent


@pytest.mark.parametrize("included", [False, True])
async def test_a_refused_completion_confirms_nothing(driver: JournalDriver, included: bool) -> None:
    """The next worker knows that the platform refused each request; the next one may arrive again."""
    lease = await driver.held()
    await driver.journal.record_result(lease, RESULT, completing=included)
    for refused in (True, False, True):
        if not included:
            assert await driver.journal.begin_completion(lease)
        included = False
        if refused:
            await driver.journal.refuse_completion(lease)
        await driver.journal.release(lease, 0)
        lease = await driver.claim_one()
        assert lease.completion_tried is not refused


async def test_a_result_may_be_replaced(driver: JournalDriver) -> None:
    """A result that the platform rejects can be replaced."""
    lease = await driver.held()
    await driver.journal.record_result(lease, RESULT)
    other = Result(b'{"ok":false}', "refused")
    await driver.journal.record_result(lease, other)
    await driver.journal.release(lease, 0)
    assert (await driver.claim_one()).result == other


async def test_a_released_execution_is_claimable_when_it_is_due(driver: JournalDriver) -> None:
    """A released execution is claimable after its delay, and the observer is notified."""
    lease = await driver.held()
    before, calls = driver.clock.now(), driver.ready_count
    await driver.journal.release(lease, 3600)
    assert driver.journal.backlog() == 1
    while not (claimed := await driver.claim()):  # the clock jumps while a journal waits
        assert driver.clock.now() < before + 7200
        await driver.clock.sleep(900)
    assert driver.clock.now() >= before + 3600
    assert driver.ready_count > calls
    assert [lease.attempt for lease in claimed] == [2]


async def test_a_reason_that_utf_8_cannot_hold_is_repaired(driver: JournalDriver) -> None:
    """A lone surrogate in the reason of a retry becomes U+FFFD; later calls are not affected."""
    lease = await driver.held()
    await driver.journal.release(lease, 0, "cut \ud83d")
    again = await driver.claim_one()
    assert again.attempt == 2
    record = await driver.journal.find(again.execution.id)
    assert record is not None
    assert [event.detail for event in record.history if event.name == "retried"] == ["cut \ufffd"]


async def test_scheduled_executions_can_be_claimed_early(driver: JournalDriver) -> None:
    """A process that ends claims scheduled executions early, once."""
    lease = await driver.held()
    await driver.journal.release(lease, 3600)
    [early] = await driver.claim(early=True)
    assert early.execution.id == lease.execution.id
    await driver.clock.sleep(3601)
    await driver.journal.renew("first", [early.execution.id])
    assert driver.journal.backlog() == 0


async def test_a_settled_execution_keeps_its_outcome_and_no_secret(driver: JournalDriver) -> None:
    """A settled record has its outcome, and neither token nor texts nor results."""
    execution = driver.execution("a-secret-token", city="Орёл")
    await driver.journal.accept(execution, 1)
    lease = await driver.claim_one()
    await driver.journal.record_effect(lease, SENT)
    await driver.journal.record_effect(lease, STEPPED)
    await driver.journal.record_result(lease, RESULT)
    await driver.journal.settle(lease, DONE)
    record = await driver.journal.find(execution.id)
    assert record is not None
    assert (record.phase, record.outcome, record.attempts) == (Phase.SETTLED, DONE, 1)
    assert (record.block, record.accepted_at) == ("loan", execution.accepted_at)
    first, second = sorted(record.effects, key=lambda effect: effect.position)
    assert first == SENT
    assert (second.kind, second.state, second.value) == ("step:rate", EffectState.CONFIRMED, b"")
    kept = pickle.dumps(record)
    for secret in (b"a-secret-token", "Орёл".encode(), b"8884.88", b"of the author"):
        assert secret not in kept


async def test_a_settled_execution_does_not_change(driver: JournalDriver) -> None:
    """A settled execution cannot be claimed, and its outcome cannot change."""
    lease = await driver.held()
    await driver.journal.settle(lease, DONE)
    driver.pass_lease()
    assert await driver.claim(early=True) == []
    with pytest.raises(Fenced):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "internal"))
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert record.outcome == DONE


async def test_an_unknown_execution_is_not_found(driver: JournalDriver) -> None:
    """For an unknown id a journal returns None."""
    assert await driver.journal.find("0" * 22) is None


async def test_a_journal_describes_its_durability(driver: JournalDriver) -> None:
    """A journal has a sentence for operators about the failures that its executions survive."""
    assert len(driver.journal.durability) > 20
    assert isinstance(driver.journal.durable, bool)
