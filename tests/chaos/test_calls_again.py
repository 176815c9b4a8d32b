"""Repeated calls: before the completion may have been sent, after it, and with a crash in between."""

from signal import SIGKILL

import pytest

from tests.chaos.scene import Scene
from vertexkit.execution import OutcomeStatus

pytestmark = pytest.mark.unmeasured


async def test_a_duplicate_is_one_across_a_death(scene: Scene) -> None:
    """While its block is not completed, the same call starts nothing, in this process and the next."""
    barrier = scene.barrier()
    child = await scene.start()
    call = await scene.call("assume_sent", first=barrier.path)
    again = await scene.call("assume_sent", call.token, first=barrier.path)
    assert await child.end(SIGKILL) == -SIGKILL
    child = await scene.start()
    later = await scene.call("assume_sent", call.token, first=barrier.path)
    assert call.execution == again.execution == later.execution
    barrier.release()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert len(scene.results(call)) == 1
    scene.platform.check()


async def test_a_token_used_again_after_the_end_is_a_new_execution(scene: Scene) -> None:
    """Each call of a looping bot is served, in the same process and in the next."""
    child = await scene.start()
    call = await scene.call("assume_sent")
    await child.wait_for_event("settled", execution=call.execution)
    calls = [call]
    for _ in range(2):
        scene.platform.issue(reuse=call.token)
        calls.append(await scene.call("assume_sent", call.token))
        await child.wait_for_event("settled", execution=calls[-1].execution)
        if len(calls) == 2:
            assert await child.end(SIGKILL) == -SIGKILL
            child = await scene.start()
    await scene.finish()
    assert len({call.execution for call in calls}) == 3
    assert scene.messages(call) == [0, 1] * 3
    assert [result["execution"] for result in scene.results(call)] == [c.execution for c in calls]
    scene.platform.check()


async def test_where_tokens_are_unique_the_end_is_the_end_across_a_death(scene: Scene) -> None:
    """VERTEXKIT_TOKENS=unique: the same call after the end is a duplicate, in the next process too."""
    child = await scene.start(tokens="unique")
    call = await scene.call("assume_sent")
    await child.wait_for_event("settled", execution=call.execution)
    assert (await scene.call("assume_sent", call.token)).execution == call.execution
    assert await child.end(SIGKILL) == -SIGKILL
    child = await scene.start(tokens="unique")
    assert (await scene.call("assume_sent", call.token)).execution == call.execution
    other = await scene.call("assume_sent")
    await child.wait_for_event("settled", execution=other.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert len(scene.observed().records) == 2
    scene.platform.check()


async def test_a_call_during_the_completion_confirms_it_across_a_death(scene: Scene) -> None:
    """Killed after the completion was sent and the next call was answered: both executions end.

    The platform holds its answer back until it has made that call. What the dead process did not
    read, the call has confirmed: no further try goes out, which would end the new one.
    """
    called: list[str] = []

    async def call_again(token: str, data: object) -> None:
        if not called:
            called.append(token)
            scene.platform.reactivate(token)
            called.append((await scene.call("assume_sent", token)).execution)
            child.send(SIGKILL)

    scene.platform.call_during_complete = call_again
    child = await scene.start()
    call = await scene.call("assume_sent")
    assert await child.ended() == -SIGKILL
    [_, new] = called
    assert new
    assert new != call.execution
    child = await scene.start()
    await child.wait_for_event("settled", execution=new)
    await scene.finish()
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.confirmed_by) == (OutcomeStatus.COMPLETED, "call")
    assert [result["execution"] for result in scene.results(call)] == [call.execution, new]
    assert len(scene.tries(call)) == 2
    assert scene.messages(call) == [0, 1, 0, 1]
    scene.platform.check()
