"""How a process ends: signals, and handlers that crash it."""

import asyncio
from signal import SIGABRT, SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals

import pytest

from tests.chaos.observed import Call
from tests.chaos.scene import Barrier, Scene
from vertexkit.execution import OutcomeStatus
from vertexkit.testing.platform.ledger import Entry

pytestmark = pytest.mark.unmeasured

LEASE = 0.3


async def call_running_block(scene: Scene, block: str = "assume_sent") -> tuple[Call, Barrier]:
    """Call a block, and wait until its first message is sent; the second one waits at a barrier."""
    barrier, sent = scene.barrier(), asyncio.Event()

    def heard(entry: Entry) -> None:
        if entry.method == "send_message":
            sent.set()

    scene.platform.subscribe(heard)
    call = await scene.call(block, second=barrier.path)
    await sent.wait()
    return call, barrier


async def assert_completed_by_next_process(
    scene: Scene, call: Call, barrier: Barrier, *, attempts: int
) -> None:
    """Check that the next process completes it and repeats nothing."""
    barrier.release()
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    record = scene.record(call)
    assert scene.messages(call) == [0, 1]
    assert [result["ids"] for result in scene.results(call)] == [[1, 2]]
    assert record.attempts == attempts
    scene.platform.check()


async def test_a_handler_that_kills_its_process_is_parked(scene: Scene) -> None:
    """After the maximum number of attempts it is given up; its dialog and other executions continue."""
    child = await scene.start()
    barrier = scene.barrier()
    other = await scene.call("assume_sent", first=barrier.path)
    poison = await scene.call("poison")
    assert await child.ended() == -SIGABRT
    child = await scene.launch()
    assert await child.ended() == -SIGABRT
    child = await scene.start()
    await child.wait_for_event("settled", execution=poison.execution)
    barrier.release()
    await child.wait_for_event("settled", execution=other.execution)
    await scene.finish()
    record = scene.record(poison)
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.PARKED, "attempts")
    assert "2 runs" in record.outcome.reason
    assert [result["error"]["code"] for result in scene.results(poison)] == ["attempts"]
    assert scene.messages(poison) == [0]
    assert scene.messages(other) == [0, 1]
    scene.platform.check()


async def test_a_handler_that_is_not_to_run_twice_does_not(scene: Scene) -> None:
    """on_crash="fail": its block is completed as failed, with `crashed`, and sends no more."""
    child = await scene.start()
    call, barrier = await call_running_block(scene, "once")
    assert await child.end(SIGKILL) == -SIGKILL
    barrier.release()
    child = await scene.start()
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.code) == (OutcomeStatus.COMPLETED, "crashed")
    assert [result["error"]["code"] for result in scene.results(call)] == ["crashed"]
    assert scene.messages(call) == [0]
    scene.platform.check()


async def test_sigterm_lets_a_handler_finish(scene: Scene) -> None:
    """It is not ready, calls are rejected, running handlers finish, and the exit code is 0."""
    child = await scene.start(grace=3600)
    call, barrier = await call_running_block(scene)
    child.send(SIGTERM)
    await child.wait_for_event("drain_started")
    barrier.release()
    await child.wait_for_event("settled", execution=call.execution)
    assert await child.ended() == 0
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 1
    scene.platform.check()


@pytest.mark.parametrize(
    "first, second, grace", [(SIGTERM, None, 0), (SIGTERM, SIGTERM, 3600), (SIGINT, SIGINT, 3600)]
)
async def test_what_a_signal_cuts_off_the_next_process_goes_on_with(
    scene: Scene, first: Signals, second: Signals | None, grace: float
) -> None:
    """SIGTERM without a grace period, SIGTERM twice, SIGINT twice: released, and nothing is sent twice."""
    child = await scene.start(grace=grace)
    call, barrier = await call_running_block(scene)
    child.send(first)
    await child.wait_for_event("drain_started")
    if second is not None:
        child.send(second)
    assert await child.ended() == 0
    await child.wait_for_event("stopped")
    assert [event.name for event in scene.record(call).history] == ["released"]
    await assert_completed_by_next_process(scene, call, barrier, attempts=2)


async def test_killed_while_it_drains_it_loses_nothing(scene: Scene) -> None:
    """SIGKILL during the grace period is a crash like any other."""
    child = await scene.start(grace=3600)
    call, barrier = await call_running_block(scene)
    child.send(SIGTERM)
    await child.wait_for_event("drain_started")
    assert await child.end(SIGKILL) == -SIGKILL
    await assert_completed_by_next_process(scene, call, barrier, attempts=2)


async def test_frozen_beyond_its_lease_a_single_process_loses_nothing(scene: Scene) -> None:
    """A process that was stopped continues its executions, and answers the calls that waited."""
    child = await scene.start(lease=LEASE)
    call, barrier = await call_running_block(scene)
    child.send(SIGSTOP)
    meanwhile = asyncio.create_task(scene.call("assume_sent"))
    await asyncio.sleep(3 * LEASE)
    barrier.release()
    child.send(SIGCONT)
    other = await meanwhile
    for executed in (call, other):
        await child.wait_for_event("settled", execution=executed.execution)
    await scene.finish()
    for executed in (call, other):
        assert scene.messages(executed) == [0, 1]
        assert len(scene.results(executed)) == 1
    scene.platform.check()
