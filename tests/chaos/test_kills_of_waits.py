"""`vertexkit run`, killed at each moment of a wait, and restarted."""

from signal import SIGKILL, SIGTERM

import pytest

from tests.chaos.observed import Call
from tests.chaos.scene import Child, Scene
from vertexkit.execution import OutcomeStatus, Phase

pytestmark = pytest.mark.unmeasured

SHORTEST_SECONDS = 3.0
"""A wait that is not so short that it stays in the handler, also if its intent is written slowly."""


async def end_with_event(scene: Scene, child: Child, call: Call, number: int) -> None:
    """Let the execution end: its handler must have got this event, and sent its message once."""
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.results(call) == [{"execution": call.execution, "number": number}]
    assert scene.messages(call) == [0]
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.code) == (OutcomeStatus.COMPLETED, "ok")


@pytest.mark.parametrize("point, attempts", [("W1", 2), ("W2", 2), ("W3", 1)])
async def test_killed_while_the_wait_begins_it_waits_in_the_next_process(
    scene: Scene, point: str, attempts: int
) -> None:
    """W1 to W3: with its intent, and with its suspension, the wait is in the journal."""
    child = await scene.start(point)
    call = await scene.call("wait")
    assert await child.ended() == -SIGKILL
    child = await scene.start()
    if point != "W3":
        await child.wait_for_event("suspended", execution=call.execution)
    assert await scene.send_event(call) == 200
    await end_with_event(scene, child, call, 1)
    assert scene.record(call).attempts == attempts


async def test_killed_before_the_answer_to_an_event_it_is_stored(scene: Scene) -> None:
    """W4: the event of the request without a response counts; the one sent again is a repetition."""
    child = await scene.start("W4")
    call = await scene.call("wait")
    await child.wait_for_event("suspended", execution=call.execution)
    assert await scene.send_event(call) is None
    assert await child.ended() == -SIGKILL
    child = await scene.start()
    await end_with_event(scene, child, call, 1)


async def test_killed_before_the_claim_an_event_is_not_lost(scene: Scene) -> None:
    """W5: the event is answered, and its handler has not been started again."""
    child = await scene.start("W5")
    call = await scene.call("wait")
    await child.wait_for_event("suspended", execution=call.execution)
    assert await scene.send_event(call) == 200
    assert await child.end(SIGKILL) == -SIGKILL
    child = await scene.start()
    await end_with_event(scene, child, call, 1)
    assert scene.record(call).attempts == 1


@pytest.mark.parametrize("point", ["W6:2", "W7", "W8"])
async def test_killed_after_it_has_resumed_it_gets_the_same_event(scene: Scene, point: str) -> None:
    """W6 to W8: claimed with the event, before and after the outcome of the wait is written."""
    child = await scene.start(point)
    call = await scene.call("wait")
    await child.wait_for_event("suspended", execution=call.execution)
    assert await scene.send_event(call) in {200, None}
    assert await child.ended() == -SIGKILL
    child = await scene.start()
    await end_with_event(scene, child, call, 1)
    assert scene.record(call).attempts == 2


async def test_killed_after_the_end_of_a_wait_a_later_event_is_refused(scene: Scene) -> None:
    """W9: a wait that has ended without its event ends so in every later run."""
    child = await scene.start("W9")
    call = await scene.call("wait", seconds=SHORTEST_SECONDS)
    assert await child.ended() == -SIGKILL
    child = await scene.start()
    assert await scene.send_event(call) == 410
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.results(call) == [{"execution": call.execution, "number": None}]


@pytest.mark.parametrize("number", [SIGKILL, SIGTERM])
async def test_a_time_that_passes_while_no_process_runs(scene: Scene, number: int) -> None:
    """An execution that sleeps while its process ends wakes in the next one."""
    child = await scene.start()
    call = await scene.call("sleep", seconds=SHORTEST_SECONDS)
    await child.wait_for_event("suspended", execution=call.execution)
    await child.end(SIGKILL if number == SIGKILL else SIGTERM)
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 1


async def test_what_waits_holds_no_slot(scene: Scene) -> None:
    """With one slot for handlers, several wait for their events while another one runs."""
    child = await scene.start(concurrency=1)
    waiting = [await scene.call("wait") for _ in range(3)]
    for call in waiting:
        await child.wait_for_event("suspended", execution=call.execution)
    other = await scene.call("assume_sent")
    await child.wait_for_event("settled", execution=other.execution)
    for call in waiting:
        assert await scene.send_event(call) == 200
        assert await scene.send_event(call) in {200, 410}
    for call in waiting:
        await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert [scene.results(call)[0]["number"] for call in waiting] == [1, 3, 5]
    assert all(scene.record(call).phase is Phase.SETTLED for call in waiting)
