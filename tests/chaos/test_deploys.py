"""Another version of the app is deployed while executions wait; nothing is lost."""

from signal import SIGKILL, SIGTERM, Signals

import pytest

from tests.chaos.scene import Child, Scene
from vertexkit.clock import Clock
from vertexkit.execution import EVENT, OutcomeStatus
from vertexkit.journal.admin import open_admin
from vertexkit.settings import JournalSettings

pytestmark = pytest.mark.unmeasured

FIRST, SECOND = "tests.chaos.versions:first", "tests.chaos.versions:second"


async def deploy(scene: Scene, old: Child, number: Signals = SIGTERM) -> Child:
    """Replace the process by one with the second version of the app."""
    await old.end(number)
    return await scene.start(app=SECOND)


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
async def test_a_version_that_does_more_continues(scene: Scene, number: Signals) -> None:
    """What was sent is not sent again in other words, and what is new is done."""
    old = await scene.start(app=FIRST)
    call, early = await scene.call("grow"), await scene.call("grow")
    for waiting in (call, early):
        await old.wait_for_event("suspended", execution=waiting.execution)
    new = await deploy(scene, old, number)
    for waiting in (call, early):
        assert await scene.send_event(waiting) == 200
        await new.wait_for_event("settled", execution=waiting.execution)
    await scene.finish()
    assert scene.messages(call) == scene.messages(early) == [0, 1, 2]
    assert [scene.results(waiting)[0]["version"] for waiting in (call, early)] == [2, 2]
    assert [scene.results(waiting)[0]["number"] for waiting in (call, early)] == [1, 2]


async def test_an_event_that_came_before_the_deploy_is_read_after_it(scene: Scene) -> None:
    """The old version has answered the event and was ended before it started the handler again."""
    old = await scene.start("W5", app=FIRST)
    call = await scene.call("grow")
    await old.wait_for_event("suspended", execution=call.execution)
    assert await scene.send_event(call) == 200
    new = await deploy(scene, old, SIGKILL)
    await new.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.messages(call) == [0, 1, 2]
    assert scene.results(call)[0]["number"] == 1


async def test_a_version_that_does_something_else_parks(scene: Scene) -> None:
    """It sends nothing, its block is completed as failed, and an operator sees why."""
    old = await scene.start(app=FIRST)
    call = await scene.call("swap")
    await old.wait_for_event("suspended", execution=call.execution)
    new = await deploy(scene, old)
    assert await scene.send_event(call) == 200
    await new.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    outcome = scene.record(call).outcome
    assert outcome is not None
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, "nondeterministic")
    assert "did 'wait:go', this one 'send'" in outcome.reason
    assert [result["error"]["code"] for result in scene.results(call)] == ["nondeterministic"]
    assert scene.messages(call) == []


async def test_the_old_version_continues_what_was_parked(scene: Scene) -> None:
    """With `on_park="leave"` an operator deploys the old version again and retries: nothing is lost."""
    old = await scene.start(app=FIRST)
    call = await scene.call("kept")
    await old.wait_for_event("suspended", execution=call.execution)
    new = await deploy(scene, old)
    assert await scene.send_event(call) == 200
    await new.wait_for_event("settled", execution=call.execution)
    await new.end()
    assert (scene.results(call), scene.record(call).retryable) == ([], True)
    settings = JournalSettings(url=f"sqlite:{scene.journal}")
    async with open_admin(settings, Clock()) as journal:
        retried = await journal.retry(call.execution)
    assert [e.value for e in retried.effects if e.kind == EVENT + "go"] == [b'{"number":1}']
    old = await scene.start(app=FIRST)
    await old.wait_for_event("settled", execution=call.execution)
    assert await old.end() == 0
    assert scene.messages(call) == [0]
    assert scene.results(call) == [{"execution": call.execution, "number": 1}]
