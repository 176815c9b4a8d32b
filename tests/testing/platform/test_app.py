"""The ASGI app of the fake platform: its routes, and behind a real server."""

import asyncio

import httpx
import pytest

from tests.testing.platform_server import served
from tests.testing.vertex_client import COMPLETE, SEND, VertexClient
from vertexkit.testing.platform.app import FakePlatform


@pytest.mark.parametrize(
    "verb, path, status",
    [
        ("POST", "/api/vertex/v1/send_message", 404),
        ("POST", "/vertex/v1/complete", 404),
        ("POST", COMPLETE + "/", 404),
        ("GET", COMPLETE, 405),
        ("PUT", SEND, 405),
        ("POST", "/api/v2/nothing", 404),
    ],
)
async def test_another_path_or_method_is_a_violation(
    platform: FakePlatform, client: VertexClient, verb: str, path: str, status: int
) -> None:
    """A path or verb outside of the document is 404 or 405; the violation lists the valid ones."""
    answer = await client.http.request(verb, path, json={"token": "x"})
    assert answer.status_code == status
    (violation,) = platform.violations
    assert f"{verb} {path}" in violation
    assert f"send_message POST {SEND}" in violation
    assert (platform.ledger[0].method, platform.ledger[0].status) == ("unknown", status)


async def test_a_whole_block_over_a_socket(platform: FakePlatform) -> None:
    """Behind uvicorn it behaves the same, and its faults are failures of the connection."""
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


async def test_a_client_that_disconnects_may_continue() -> None:
    """Also over a socket, a request ends when its client disconnects; the next one is in order."""
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
