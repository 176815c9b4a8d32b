"""The fake platform behind a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from tests.testing.caller import Caller
from vertexkit.cli.serve.run import bind
from vertexkit.testing.platform.app import FakePlatform


@asynccontextmanager
async def served(platform: FakePlatform) -> AsyncIterator[str]:
    """The platform behind a real uvicorn on a port of its own choice."""
    with bind("127.0.0.1", 0) as door:
        server = uvicorn.Server(uvicorn.Config(platform, log_level="critical"))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def test_a_whole_visit_over_a_socket(platform: FakePlatform) -> None:
    """Served by uvicorn it plays the same part, and its faults are failures of the connection."""
    token = platform.issue()
    platform.fail("send_message", kind="half", after=1)
    platform.fail("complete", kind="lost")
    async with served(platform) as url:
        caller = Caller(platform, url)
        async with caller.http:
            assert (await caller.send(token, "Привет, мир")).json()["message_id"] == 1
            with pytest.raises(httpx.RemoteProtocolError):
                await caller.send(token)
            assert (await caller.complete(token, {"ok": True})).status_code == 500
            assert (await caller.complete(token, {"ok": True})).status_code == 403
    assert [(e.processed, e.delivered) for e in platform.ledger] == [
        (True, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    platform.check()


async def test_a_caller_that_hangs_up_may_go_on() -> None:
    """Over a socket, too, a request whose caller has hung up is over and excuses the next ones."""
    platform = FakePlatform()
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=600)
    over = asyncio.Event()
    platform.subscribe(lambda entry: over.set())
    async with served(platform) as url:
        caller = Caller(platform, url)
        caller.http.timeout = httpx.Timeout(30, read=0.05)
        async with caller.http:
            with pytest.raises(httpx.ReadTimeout):
                await caller.send(token)
            await over.wait()
            caller.http.timeout = httpx.Timeout(30)
            assert (await caller.complete(token)).status_code == 204
    assert (platform.ledger[0].processed, platform.ledger[0].status) == (True, None)
    platform.check()
