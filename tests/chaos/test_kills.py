"""`vertexkit run`, killed at each kill point, and restarted."""

from dataclasses import replace
from signal import SIGKILL

import pytest

from tests.chaos.scene import Scene
from vertexkit.execution import EffectState, OutcomeStatus

pytestmark = pytest.mark.unmeasured

CONFIRMED = EffectState.CONFIRMED


async def test_killed_before_it_was_kept_nothing_is_kept(scene: Scene) -> None:
    """K0: no response, no row in the journal; the repeated call is new."""
    child = await scene.start("K0")
    lost = await scene.call("assume_sent")
    assert lost.status is None
    assert await child.ended() == -SIGKILL
    assert scene.observed().records == ()
    child = await scene.start()
    call = await scene.call("assume_sent", lost.token)
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 1
    assert len(scene.observed().records) == 1


async def test_killed_before_its_answer_it_runs_all_the_same(scene: Scene) -> None:
    """K1: the stored execution runs in the next process; the repeated call is its duplicate.

    One commit has its acceptance and its claim, which counts a run.
    """
    barrier = scene.barrier()
    child = await scene.start("K1")
    lost = await scene.call("assume_sent", first=barrier.path)
    assert lost.status is None
    assert await child.ended() == -SIGKILL
    [kept] = scene.observed().records
    child = await scene.start()
    call = await scene.call("assume_sent", lost.token, first=barrier.path)
    assert call.execution == kept.execution
    barrier.release()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 2


async def test_killed_before_its_handler_began_it_begins_later(scene: Scene) -> None:
    """K2: answered and not claimed, the execution runs once, in the next process."""
    child = await scene.start("K2")
    call = await scene.call("assume_sent")
    assert call.status == 200
    assert await child.end(SIGKILL) == -SIGKILL
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 1


@pytest.mark.parametrize(
    "point, attempts, by",
    [
        ("K3", 2, "204"),
        ("K4:2", 2, "204"),
        ("K7", 2, "204"),
        ("K7:2", 2, "204"),
        ("K8", 2, "204"),
        ("K9", 1, "204"),
        ("K11", 1, "403"),
        ("K12", 1, "204"),
    ],
)
async def test_killed_anywhere_it_ends_once(
    scene: Scene, point: str, attempts: int, by: str
) -> None:
    """K3 to K12: one outcome, one result, no message twice, the same ids."""
    child = await scene.start(point)
    call = await scene.call("assume_sent")
    assert await child.ended() == -SIGKILL
    if call.status is None:  # K3 is before the answer: the caller does not know its execution
        [kept] = scene.observed().records
        call = replace(call, execution=kept.execution)
    before = scene.messages(call)
    child = await scene.start()
    if point == "K12":  # nothing is left to do; give the process time to do something wrong
        other = await scene.call("assume_sent")
        await child.wait_for_event("settled", execution=other.execution)
    else:
        await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    record = scene.record(call)
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.COMPLETED, "ok")
    assert (record.attempts, record.outcome.confirmed_by) == (attempts, by)
    unknown = point == "K4:2"
    assert scene.messages(call) == ([0] if unknown else [0, 1])
    assert scene.messages(call)[: len(before)] == before
    [result] = scene.results(call)
    mine = 1 if point != "K12" else result["ids"][0]
    assert result["ids"] == ([1, None] if unknown else [mine, mine + 1])
    assert [effect.state for effect in record.effects] == [
        CONFIRMED,
        EffectState.UNKNOWN if unknown else CONFIRMED,
    ]
    assert len(set(scene.tries(call))) == 1
    assert len(scene.tries(call)) == (2 if point == "K11" else 1)


async def test_killed_while_the_platform_completes_it_sends_the_same_again(scene: Scene) -> None:
    """K10: no response was read; the same bytes are sent again, and 403 confirms them."""
    child = await scene.start()
    scene.kill_at("complete", child)
    call = await scene.call("assume_sent")
    assert await child.ended() == -SIGKILL
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.confirmed_by) == (OutcomeStatus.COMPLETED, "403")
    first, second = scene.tries(call)
    assert first == second
    assert scene.results(call) == [{"execution": call.execution, "ids": [1, 2]}]
    assert scene.record(call).attempts == 1


@pytest.mark.parametrize("policy", ["assume_sent", "resend", "raise", "park", "leave"])
@pytest.mark.parametrize("point, had", [("K4", []), ("K5", [0]), ("K6", [0])])
async def test_killed_over_a_message_the_blocks_policy_decides(
    scene: Scene, point: str, had: list[int], policy: str
) -> None:
    """K4 to K6: its outcome is unknown; it is assumed sent, resent, raised or parked, as its block says.

    `had` are the messages that the platform has processed before the kill.
    """
    child = await scene.start("" if point == "K5" else point)
    if point == "K5":
        scene.kill_at("send_message", child)
    call = await scene.call(policy)
    assert await child.ended() == -SIGKILL
    assert scene.messages(call) == had
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    record = scene.record(call)
    assert record.outcome is not None
    ending, code = record.outcome.status, record.outcome.code
    assert record.attempts == 2
    expected = {
        "assume_sent": ([*had, 1], {"execution": call.execution, "ids": [None, len(had) + 1]}),
        "resend": (
            [*had, 0, 1],
            {"execution": call.execution, "ids": [len(had) + 1, len(had) + 2]},
        ),
        "raise": (had, {"execution": call.execution, "unsure": True}),
    }
    if policy in expected:
        messages, result = expected[policy]
        assert (ending, code) == (OutcomeStatus.COMPLETED, "ok")
        assert scene.results(call) == [result]
    else:
        messages = had
        assert (ending, code) == (OutcomeStatus.PARKED, "unknown")
        codes = [result["error"]["code"] for result in scene.results(call)]
        assert codes == ([] if policy == "leave" else ["unknown"])
    assert scene.messages(call) == messages
    state = CONFIRMED if policy == "resend" else EffectState.UNKNOWN
    assert record.effects[0].state is state
    scene.platform.check()
