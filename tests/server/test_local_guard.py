"""The guard of the servers that `vertexkit dev` and `vertexkit platform` start."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.cli.develop.platform import PlatformServer
from vertexkit.playground.server import PlaygroundServer
from vertexkit.server import local_guard
from vertexkit.server.local_guard import LocalGuard
from vertexkit.testing import FakePlatform


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)}")(scope, receive, send)


class Playground:
    """What the playground's server needs of a playground."""

    def __init__(self) -> None:
        self.platform = FakePlatform(tokens="any")
        self.state: dict[str, Any] = {"phase": "starting", "blocks": []}


def playground() -> ASGIApp:
    return PlaygroundServer(Playground()).app("127.0.0.1")  # pyrefly: ignore[bad-argument-type]


def platform() -> ASGIApp:
    return LocalGuard(PlatformServer(FakePlatform(tokens="any")), "127.0.0.1")


async def ask(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as client:
        return await client.request(method, path, **options)


LOGIN = ("demo", "demo")
REQUESTS = [
    (playground, "GET", "/playground/state"),
    (playground, "GET", "/token"),
    (playground, "GET", "/api/v2/conversations?BotID=698"),
    (playground, "POST", "/api/vertex/v1/dialog/send_message"),
    (playground, "POST", "/api/vertex/v1/complete"),
    (playground, "POST", "/playground/runs"),
    (platform, "GET", "/api/v2/conversations?BotID=698"),
    (platform, "GET", "/token"),
    (platform, "POST", "/api/vertex/v1/complete"),
]
FOREIGN = [
    ({"Host": "evil.example"}, 400),
    ({"Host": "evil.example:8001"}, 400),
    ({"Host": "127.0.0.1.evil.example"}, 400),
    ({"Host": "[::1"}, 400),
    ({"Host": ""}, 400),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:9999"}, 403),
    ({"Origin": "null"}, 403),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("make, method, path", REQUESTS)
@pytest.mark.parametrize("headers, status", FOREIGN)
async def test_other_sites_reach_no_path(
    make: Any, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Neither the page nor the fake platform answers a page of another site."""
    response = await ask(make(), method, path, headers=headers, auth=LOGIN)
    assert response.status_code == status


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost:8001", "[::1]:8001", "LOCALHOST"])
@pytest.mark.parametrize("make", [playground, platform])
async def test_this_machine_is_answered(make: Any, host: str) -> None:
    """Clients of the platform and curl have a loopback host and no origin; the page has its own."""
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        response = await ask(
            make(), "GET", "/api/v2/conversations?BotID=698", headers=headers, auth=LOGIN
        )
        assert response.status_code == 200, response.text


async def test_a_server_for_other_machines_has_any_name() -> None:
    """Only the origin is compared if the address to listen on is not a loopback address."""
    app = LocalGuard(echo, "0.0.0.0")
    assert (await ask(app, "GET", "/", headers={"Host": "demo.example"})).status_code == 200
    headers = {"Host": "demo.example", "Origin": "https://evil.example"}
    assert (await ask(app, "GET", "/", headers=headers)).status_code == 403


async def chunks(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * 10


async def test_a_body_that_is_too_large_is_refused_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its declared length before it is read, and without one as soon as it exceeds the limit."""
    monkeypatch.setattr(local_guard, "MAX_BODY_BYTES", 100)
    app = LocalGuard(echo, "127.0.0.1")
    assert (await ask(app, "POST", "/", content=b"x" * 100)).text == "100"
    assert (await ask(app, "POST", "/", content=chunks(10))).text == "100"
    for content in (b"x" * 101, chunks(11)):
        response = await ask(app, "POST", "/", content=content)
        assert response.status_code == 413
        assert response.headers["connection"] == "close"
