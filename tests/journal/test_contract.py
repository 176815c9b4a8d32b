"""What every journal promises: an execution from its acceptance to its outcome."""

import asyncio
import pickle
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import Fenced, QueueFull
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result

if TYPE_CHECKING:
    from tests.journal.conftest import JournalDriver

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
RESULT = Result(b'{"monthly":8884.88}')
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
STEPPED = Effect(1, "step:rate", "", EffectState.CONFIRMED, b'"a result of the author"')


async def test_what_is_accepted_is_kept_and_announced(driver: "JournalDriver") -> None:
    """An accepted call is on record, counts as waiting, and whoever claims is told."""
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


async def test_a_claim_brings_the_whole_call(driver: "JournalDriver") -> None:
    """A worker gets everything that came with the call, unchanged, and it is the first run."""
    execution = driver.execution(city="Орёл", nested={"deep": [1, None, 2.5]})
    await driver.journal.accept(execution, 1)
    lease = await driver.claim_one()
    assert lease.execution == execution
    assert lease.execution.token.reveal() == execution.token.reveal()
    assert (lease.worker, lease.attempt, dict(lease.effects)) == ("first", 1, {})
    assert (lease.result, lease.completion_tried) == (None, False)


async def test_first_come_first_claimed(driver: "JournalDriver") -> None:
    """Within a block, those who wait longest are claimed first, and no more than asked for."""
    ids = [(await driver.accept()).execution for _ in range(5)]
    first = await driver.claim(limit=2)
    rest = await driver.claim(limit=9)
    assert [lease.execution.id for lease in [*first, *rest]] == ids
    assert len(first) == 2


async def test_a_block_gets_no_more_than_its_room(driver: "JournalDriver") -> None:
    """A block whose places are taken waits, without keeping another one from running."""
    for block in ("loan", "loan", "story", "loan"):
        await driver.accept(block=block)
    claimed = await driver.claim(loan=1)
    assert sorted(lease.execution.block for lease in claimed) == ["loan", "story"]
    assert await driver.claim(loan=0) == []
    assert len(await driver.claim()) == 2


async def test_a_block_that_is_not_served_is_left_alone(driver: "JournalDriver") -> None:
    """A worker claims only what it has a handler for."""
    await driver.accept(block="loan")
    assert await driver.journal.claim("first", {"story": 5}, 5) == []
    assert len(await driver.claim()) == 1


async def test_nothing_is_claimed_twice(driver: "JournalDriver") -> None:
    """Two workers who claim at once share what there is, and get nothing in common."""
    ids = [(await driver.accept()).execution for _ in range(20)]
    shares = await asyncio.gather(*(driver.claim(w, limit=7) for w in ("a", "b", "c", "d")))
    claimed = [lease.execution.id for share in shares for lease in share]
    assert sorted(claimed) == sorted(ids)


async def test_a_full_queue_keeps_nothing(driver: "JournalDriver") -> None:
    """Where there is no room, a call leaves no trace."""
    await driver.accept()
    refused = driver.execution()
    with pytest.raises(QueueFull):
        await driver.journal.accept(refused, 1)
    assert driver.journal.backlog() == 1
    assert await driver.journal.find(refused.id) is None
    assert len(await driver.claim()) == 1


async def test_what_runs_takes_no_place_in_the_queue(driver: "JournalDriver") -> None:
    """The queue counts those that wait for a handler or for the platform, and no other."""
    lease = await driver.held()
    assert driver.journal.backlog() == 0
    await driver.journal.record_result(lease, RESULT)
    assert driver.journal.backlog() == 1
    with pytest.raises(QueueFull):
        await driver.accept(room=1)
    await driver.journal.settle(lease, DONE)
    assert driver.journal.backlog() == 0


async def test_effects_are_there_for_the_next_run(driver: "JournalDriver") -> None:
    """What a run did is known to the next one, each effect as it was last written."""
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


async def test_effects_may_be_far_apart(driver: "JournalDriver") -> None:
    """Positions need not follow on one another: a failure hook's are far from the handler's."""
    lease = await driver.held()
    far = Effect(1_000_000, "send", "abc", EffectState.UNKNOWN)
    await driver.journal.record_intent(lease, Effect(1_000_000, "send", "abc"))
    await driver.journal.record_effect(lease, far)
    await driver.journal.release(lease, 0)
    assert dict((await driver.claim_one()).effects) == {1_000_000: far}


async def test_a_fixed_result_needs_no_handler(driver: "JournalDriver") -> None:
    """Once a result is fixed the execution is claimed whatever the room, to be completed only."""
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


async def test_a_try_of_the_completion_is_remembered(driver: "JournalDriver") -> None:
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


async def test_a_result_may_be_replaced(driver: "JournalDriver") -> None:
    """A result that the platform refuses gives way to another one."""
    lease = await driver.held()
    await driver.journal.record_result(lease, RESULT)
    other = Result(b'{"ok":false}', "refused")
    await driver.journal.record_result(lease, other)
    await driver.journal.release(lease, 0)
    assert (await driver.claim_one()).result == other


async def test_later_means_not_yet(driver: "JournalDriver") -> None:
    """What is given back for later is claimed when its time has come, and that is announced."""
    lease = await driver.held()
    before = driver.clock.now()
    await driver.journal.release(lease, 3600)
    assert driver.journal.backlog() == 1
    assert await driver.claim() == []
    calls = driver.ready_count
    while driver.ready_count == calls:
        await driver.clock.sleep(60)
    again = await driver.claim_one()
    assert driver.clock.now() >= before + 3600
    assert again.attempt == 2


async def test_a_reason_that_utf_8_cannot_hold_is_repaired(driver: "JournalDriver") -> None:
    """A lone surrogate in the reason of a retry becomes U+FFFD, and later calls go on."""
    lease = await driver.held()
    await driver.journal.release(lease, 0, "cut \ud83d")
    again = await driver.claim_one()
    assert again.attempt == 2
    record = await driver.journal.find(again.execution.id)
    assert record is not None
    assert [event.detail for event in record.history if event.name == "retried"] == ["cut \ufffd"]


async def test_later_can_be_now(driver: "JournalDriver") -> None:
    """A process that ends claims early what was to be run later, once."""
    lease = await driver.held()
    await driver.journal.release(lease, 3600)
    [early] = await driver.claim(early=True)
    assert early.execution.id == lease.execution.id
    await driver.clock.sleep(3601)
    await driver.journal.renew("first", [early.execution.id])
    assert driver.journal.backlog() == 0


async def test_a_settled_execution_keeps_its_outcome_and_no_secret(driver: "JournalDriver") -> None:
    """The record of an end says how it ended, and holds neither token nor texts nor results."""
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


async def test_the_end_is_the_end(driver: "JournalDriver") -> None:
    """A settled execution is claimed no more, and takes no second outcome."""
    lease = await driver.held()
    await driver.journal.settle(lease, DONE)
    driver.pass_lease()
    assert await driver.claim(early=True) == []
    with pytest.raises(Fenced):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "internal"))
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert record.outcome == DONE


async def test_an_unknown_execution_is_not_found(driver: "JournalDriver") -> None:
    """Asked for an id that it never kept, a journal says so."""
    assert await driver.journal.find("0" * 22) is None


async def test_it_says_what_it_survives(driver: "JournalDriver") -> None:
    """A journal has a sentence for operators about what it does, or does not, survive."""
    assert len(driver.journal.durability) > 20
    assert isinstance(driver.journal.durable, bool)
