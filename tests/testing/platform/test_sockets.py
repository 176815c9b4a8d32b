"""The fake platform behind a real server."""

import asyncio

import httpx
import pytest

from tests.testing.platform_server import served
from tests.testing.vertex_client import VertexClient
from vertexkit.testing.platform.app import FakePlatform


async def test_a_whole_visit_over_a_socket(platform: FakePlatform) -> None:
    """Served by uvicorn it plays the same part, and its faults are failures of the connection."""
    token = platform.issue()
    platform.fail("send_message", kind="half", after=1)
    platform.fail("complete", kind="lost")
    async with served(platform) as url:
        client = VertexClient(platform, url)
        async with client.http:
            assert (await client.send(token, "Привет, мир")).json()["message_id"] == 1
            with pytest.raises(httpx.RemoteProtocolError):
                await client.send(token)
            assert (await client.complete(token, {"ok": True})).status_code == 500
            assert (await client.complete(token, {"ok": True})).status_code == 403
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
        client = VertexClient(platform, url)
        client.http.timeout = httpx.Timeout(30, read=0.05)
        async with client.http:
            with pytest.raises(httpx.ReadTimeout):
                await client.send(token)
            await over.wait()
            client.http.timeout = httpx.Timeout(30)
            assert (await client.complete(token)).status_code == 204
    assert (platform.ledger[0].processed, platform.ledger[0].status) == (True, None)
    platform.check()
