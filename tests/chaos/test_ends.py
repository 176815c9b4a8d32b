"""How a process ends, in one piece or not: signals, and handlers that take it down."""

import asyncio
from functools import partial
from signal import SIGABRT, SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTERM, Signals

from tests.chaos.conftest import PlayAll
from tests.chaos.observed import Call
from tests.chaos.scene import Gate, Scene
from vertexkit.execution import OutcomeStatus
from vertexkit.testing.platform.ledger import Entry

LEASE = 0.3


async def under_way(scene: Scene, block: str = "assume_sent") -> tuple[Call, Gate]:
    """Call a block; it has said its first message, and waits at a gate before the second."""
    gate, sent = scene.gate(), asyncio.Event()

    def heard(entry: Entry) -> None:
        if entry.method == "send_message":
            sent.set()

    scene.platform.subscribe(heard)
    call = await scene.call(block, second=gate.path)
    await sent.wait()
    return call, gate


async def goes_on(scene: Scene, call: Call, gate: Gate, *, attempts: int) -> None:
    """The next process brings it to its end, and repeats nothing."""
    gate.open()
    child = await scene.start()
    await child.said("settled", execution=call.execution)
    await scene.finish()
    record = scene.record(call)
    assert scene.messages(call) == [0, 1]
    assert [result["ids"] for result in scene.results(call)] == [[1, 2]]
    assert record.attempts == attempts
    scene.platform.check()


async def test_a_handler_that_kills_its_process_is_parked(scene: Scene) -> None:
    """After as many runs as it may have it is given up, its dialog goes on, and so do the others."""
    child = await scene.start()
    gate = scene.gate()
    other = await scene.call("assume_sent", first=gate.path)
    poison = await scene.call("poison")
    assert await child.ended() == -SIGABRT
    child = await scene.launch()
    assert await child.ended() == -SIGABRT
    child = await scene.start()
    await child.said("settled", execution=poison.execution)
    gate.open()
    await child.said("settled", execution=other.execution)
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
    """on_crash="fail": its block is completed as failed, with `crashed`, and says no more."""
    child = await scene.start()
    call, gate = await under_way(scene, "once")
    assert await child.end(SIGKILL) == -SIGKILL
    gate.open()
    child = await scene.start()
    await child.said("settled", execution=call.execution)
    await scene.finish()
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.code) == (OutcomeStatus.COMPLETED, "crashed")
    assert [result["error"]["code"] for result in scene.results(call)] == ["crashed"]
    assert scene.messages(call) == [0]
    scene.platform.check()


async def test_sigterm_lets_a_handler_finish(scene: Scene) -> None:
    """Readiness goes off, calls are sent away, what runs ends in peace, and the exit code is 0."""
    child = await scene.start(grace=3600)
    call, gate = await under_way(scene)
    child.send(SIGTERM)
    await child.said("drain_started")
    gate.open()
    await child.said("settled", execution=call.execution)
    assert await child.ended() == 0
    assert scene.messages(call) == [0, 1]
    assert scene.record(call).attempts == 1
    scene.platform.check()


async def test_what_a_signal_cuts_off_the_next_process_goes_on_with(play_all: PlayAll) -> None:
    """SIGTERM and no time left, SIGTERM twice, SIGINT twice: given back, and nothing said twice."""
    await play_all(
        {
            "SIGTERM": partial(_cut_off, first=SIGTERM, grace=0),
            "SIGTERM twice": partial(_cut_off, first=SIGTERM, second=SIGTERM),
            "SIGINT twice": partial(_cut_off, first=SIGINT, second=SIGINT),
        }
    )


async def _cut_off(
    scene: Scene, *, first: Signals, second: Signals | None = None, grace: float = 3600
) -> None:
    child = await scene.start(grace=grace)
    call, gate = await under_way(scene)
    child.send(first)
    await child.said("drain_started")
    if second is not None:
        child.send(second)
    assert await child.ended() == 0
    await child.said("stopped")
    assert [event.name for event in scene.record(call).history] == ["released"]
    await goes_on(scene, call, gate, attempts=2)


async def test_killed_while_it_drains_it_loses_nothing(scene: Scene) -> None:
    """SIGKILL in the middle of a SIGTERM's grace period is a death like any other."""
    child = await scene.start(grace=3600)
    call, gate = await under_way(scene)
    child.send(SIGTERM)
    await child.said("drain_started")
    assert await child.end(SIGKILL) == -SIGKILL
    await goes_on(scene, call, gate, attempts=2)


async def test_frozen_beyond_its_lease_a_single_process_loses_nothing(scene: Scene) -> None:
    """Nobody else has taken what it held: it thaws and goes on, and answers who has waited."""
    child = await scene.start(lease=LEASE)
    call, gate = await under_way(scene)
    child.send(SIGSTOP)
    meanwhile = asyncio.create_task(scene.call("assume_sent"))
    await asyncio.sleep(3 * LEASE)
    gate.open()
    child.send(SIGCONT)
    other = await meanwhile
    for each in (call, other):
        await child.said("settled", execution=each.execution)
    await scene.finish()
    for each in (call, other):
        assert scene.messages(each) == [0, 1]
        assert len(scene.results(each)) == 1
    scene.platform.check()
