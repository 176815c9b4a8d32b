"""A platform that is not there yet when the service starts."""

import pytest

from tests.chaos.scene import Scene
from tests.http_server import served
from tests.reserved_port import reserved_port

pytestmark = pytest.mark.unmeasured


async def test_calls_are_accepted_while_the_platform_is_down(scene: Scene) -> None:
    """They are answered 200; messages and completions go out when the platform is there."""
    with reserved_port() as port:
        await accept_while_it_is_down(scene, port)


async def accept_while_it_is_down(scene: Scene, port: int) -> None:
    child = await scene.start(platform_url=f"http://127.0.0.1:{port}/api")
    calls = [await scene.call("assume_sent") for _ in range(3)]
    assert [call.status for call in calls] == [200] * 3
    for call in calls:
        event = await child.wait_for_event("send_retried", execution=call.execution)
        assert "cannot be reached: Connection refused" in event["reason"]
    assert (await scene.readiness())[0] == 200
    async with served(scene.platform, port):
        for call in calls:
            await child.wait_for_event("settled", execution=call.execution)
        await scene.finish()
    for call in calls:
        assert scene.messages(call) == [0, 1]
        assert len(scene.results(call)) == 1
    scene.platform.check()
