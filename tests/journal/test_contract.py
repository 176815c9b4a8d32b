"""What every journal promises: an execution from its acceptance to its outcome."""

import asyncio
import pickle
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import Fenced, QueueFull
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result

if TYPE_CHECKING:
    from tests.journal.conftest import Desk

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
RESULT = Result(b'{"monthly":8884.88}')
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
STEPPED = Effect(1, "step:rate", "", EffectState.CONFIRMED, b'"a result of the author"')


async def test_what_is_accepted_is_kept_and_announced(desk: "Desk") -> None:
    """An accepted call is on record, counts as waiting, and whoever claims is told."""
    execution = desk.execution()
    before = desk.calls
    acceptance = await desk.journal.accept(execution, 1)
    assert (acceptance.execution, acceptance.new) == (execution.id, True)
    assert acceptance.supersedes is None
    assert desk.calls > before
    assert desk.journal.backlog() == 1
    record = await desk.journal.find(execution.id)
    assert record is not None
    assert (record.block, record.phase, record.attempts) == ("loan", Phase.WAITING, 0)
    assert (record.accepted_at, record.outcome) == (execution.accepted_at, None)


async def test_a_claim_brings_the_whole_call(desk: "Desk") -> None:
    """A worker gets everything that came with the call, unchanged, and it is the first run."""
    execution = desk.execution(city="Орёл", nested={"deep": [1, None, 2.5]})
    await desk.journal.accept(execution, 1)
    lease = await desk.claim_one()
    assert lease.execution == execution
    assert lease.execution.token.reveal() == execution.token.reveal()
    assert (lease.worker, lease.attempt, dict(lease.effects)) == ("first", 1, {})
    assert (lease.result, lease.completion_tried) == (None, False)


async def test_first_come_first_claimed(desk: "Desk") -> None:
    """Within a block, those who wait longest are claimed first, and no more than asked for."""
    ids = [(await desk.accept()).execution for _ in range(5)]
    first = await desk.claim(limit=2)
    rest = await desk.claim(limit=9)
    assert [lease.execution.id for lease in [*first, *rest]] == ids
    assert len(first) == 2


async def test_a_block_gets_no_more_than_its_room(desk: "Desk") -> None:
    """A block whose places are taken waits, without keeping another one from running."""
    for block in ("loan", "loan", "story", "loan"):
        await desk.accept(block=block)
    claimed = await desk.claim(loan=1)
    assert sorted(lease.execution.block for lease in claimed) == ["loan", "story"]
    assert await desk.claim(loan=0) == []
    assert len(await desk.claim()) == 2


async def test_a_block_that_is_not_served_is_left_alone(desk: "Desk") -> None:
    """A worker claims only what it has a handler for."""
    await desk.accept(block="loan")
    assert await desk.journal.claim("first", {"story": 5}, 5) == []
    assert len(await desk.claim()) == 1


async def test_nothing_is_claimed_twice(desk: "Desk") -> None:
    """Two workers who claim at once share what there is, and get nothing in common."""
    ids = [(await desk.accept()).execution for _ in range(20)]
    shares = await asyncio.gather(*(desk.claim(w, limit=7) for w in ("a", "b", "c", "d")))
    claimed = [lease.execution.id for share in shares for lease in share]
    assert sorted(claimed) == sorted(ids)


async def test_a_full_queue_keeps_nothing(desk: "Desk") -> None:
    """Where there is no room, a call leaves no trace."""
    await desk.accept()
    refused = desk.execution()
    with pytest.raises(QueueFull):
        await desk.journal.accept(refused, 1)
    assert desk.journal.backlog() == 1
    assert await desk.journal.find(refused.id) is None
    assert len(await desk.claim()) == 1


async def test_what_runs_takes_no_place_in_the_queue(desk: "Desk") -> None:
    """The queue counts those that wait for a handler or for the platform, and no other."""
    lease = await desk.held()
    assert desk.journal.backlog() == 0
    await desk.journal.record_result(lease, RESULT)
    assert desk.journal.backlog() == 1
    with pytest.raises(QueueFull):
        await desk.accept(room=1)
    await desk.journal.settle(lease, DONE)
    assert desk.journal.backlog() == 0


async def test_effects_are_there_for_the_next_run(desk: "Desk") -> None:
    """What a run did is known to the next one, each effect as it was last written."""
    lease = await desk.held()
    intended = Effect(SENT.position, SENT.kind, SENT.digest)
    lost = Effect(2, "send", "def")
    await desk.journal.record_intent(lease, intended)
    await desk.journal.record_effect(lease, SENT)
    await desk.journal.record_effect(lease, STEPPED)
    await desk.journal.record_intent(lease, lost)
    await desk.journal.release(lease, 0)
    again = await desk.claim_one()
    assert again.attempt == 2
    assert again.epoch > lease.epoch
    assert dict(again.effects) == {0: SENT, 1: STEPPED, 2: lost}
    record = await desk.journal.find(lease.execution.id)
    assert record is not None
    assert sorted(record.effects, key=lambda effect: effect.position) == [SENT, STEPPED, lost]


async def test_effects_may_be_far_apart(desk: "Desk") -> None:
    """Positions need not follow on one another: a failure hook's are far from the handler's."""
    lease = await desk.held()
    far = Effect(1_000_000, "send", "abc", EffectState.UNKNOWN)
    await desk.journal.record_intent(lease, Effect(1_000_000, "send", "abc"))
    await desk.journal.record_effect(lease, far)
    await desk.journal.release(lease, 0)
    assert dict((await desk.claim_one()).effects) == {1_000_000: far}


async def test_a_fixed_result_needs_no_handler(desk: "Desk") -> None:
    """Once a result is fixed the execution is claimed whatever the room, to be completed only."""
    lease = await desk.held()
    await desk.journal.record_result(lease, RESULT)
    record = await desk.journal.find(lease.execution.id)
    assert record is not None
    assert (record.phase, record.result) == (Phase.COMPLETING, RESULT)
    await desk.journal.release(lease, 0)
    [again] = await desk.journal.claim("second", {}, 1)
    assert again.result == RESULT
    assert (again.attempt, again.completion_tried) == (1, False)
    assert again.epoch > lease.epoch


async def test_a_try_of_the_completion_is_remembered(desk: "Desk") -> None:
    """The next worker knows whether a completion may have reached the platform."""
    lease = await desk.held()
    await desk.journal.record_result(lease, RESULT)
    for sent in (True, False, True):
        if sent:
            assert await desk.journal.begin_completion(lease)
        else:
            await desk.journal.withdraw_completion(lease)
        await desk.journal.release(lease, 0)
        lease = await desk.claim_one()
        assert lease.completion_tried is sent


async def test_a_result_may_be_replaced(desk: "Desk") -> None:
    """A result that the platform refuses gives way to another one."""
    lease = await desk.held()
    await desk.journal.record_result(lease, RESULT)
    other = Result(b'{"ok":false}', "refused")
    await desk.journal.record_result(lease, other)
    await desk.journal.release(lease, 0)
    assert (await desk.claim_one()).result == other


async def test_later_means_not_yet(desk: "Desk") -> None:
    """What is given back for later is claimed when its time has come, and that is announced."""
    lease = await desk.held()
    before = desk.clock.now()
    await desk.journal.release(lease, 3600)
    assert desk.journal.backlog() == 1
    assert await desk.claim() == []
    calls = desk.calls
    while desk.calls == calls:
        await desk.clock.sleep(60)
    again = await desk.claim_one()
    assert desk.clock.now() >= before + 3600
    assert again.attempt == 2


async def test_a_reason_that_utf_8_cannot_hold_is_repaired(desk: "Desk") -> None:
    """A lone surrogate in the reason of a retry becomes U+FFFD, and later calls go on."""
    lease = await desk.held()
    await desk.journal.release(lease, 0, "cut \ud83d")
    again = await desk.claim_one()
    assert again.attempt == 2
    record = await desk.journal.find(again.execution.id)
    assert record is not None
    assert [moment.said for moment in record.trail if moment.what == "retried"] == ["cut \ufffd"]


async def test_later_can_be_now(desk: "Desk") -> None:
    """A process that ends claims early what was to be run later, once."""
    lease = await desk.held()
    await desk.journal.release(lease, 3600)
    [early] = await desk.claim(early=True)
    assert early.execution.id == lease.execution.id
    await desk.clock.sleep(3601)
    await desk.journal.renew("first", [early.execution.id])
    assert desk.journal.backlog() == 0


async def test_a_settled_execution_keeps_its_outcome_and_no_secret(desk: "Desk") -> None:
    """The record of an end says how it ended, and holds neither token nor texts nor results."""
    execution = desk.execution("a-secret-token", city="Орёл")
    await desk.journal.accept(execution, 1)
    lease = await desk.claim_one()
    await desk.journal.record_effect(lease, SENT)
    await desk.journal.record_effect(lease, STEPPED)
    await desk.journal.record_result(lease, RESULT)
    await desk.journal.settle(lease, DONE)
    record = await desk.journal.find(execution.id)
    assert record is not None
    assert (record.phase, record.outcome, record.attempts) == (Phase.SETTLED, DONE, 1)
    assert (record.block, record.accepted_at) == ("loan", execution.accepted_at)
    first, second = sorted(record.effects, key=lambda effect: effect.position)
    assert first == SENT
    assert (second.kind, second.state, second.value) == ("step:rate", EffectState.CONFIRMED, b"")
    kept = pickle.dumps(record)
    for secret in (b"a-secret-token", "Орёл".encode(), b"8884.88", b"of the author"):
        assert secret not in kept


async def test_the_end_is_the_end(desk: "Desk") -> None:
    """A settled execution is claimed no more, and takes no second outcome."""
    lease = await desk.held()
    await desk.journal.settle(lease, DONE)
    desk.pass_lease()
    assert await desk.claim(early=True) == []
    with pytest.raises(Fenced):
        await desk.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "internal"))
    record = await desk.journal.find(lease.execution.id)
    assert record is not None
    assert record.outcome == DONE


async def test_an_unknown_execution_is_not_found(desk: "Desk") -> None:
    """Asked for an id that it never kept, a journal says so."""
    assert await desk.journal.find("0" * 22) is None


async def test_it_says_what_it_survives(desk: "Desk") -> None:
    """A journal has a sentence for operators about what it does, or does not, survive."""
    assert len(desk.journal.durability) > 20
    assert isinstance(desk.journal.durable, bool)
