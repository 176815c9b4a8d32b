"""Requests of `http_client` in tests: mocked like those of httpx, and refused if they are not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx
import pytest
import respx
from pytest_httpx import HTTPXMock

from vertexkit import App, Context, http_client
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.network import NetworkGuard, UnmockedRequest

URL = "https://rates.example/USD"
created_with_the_module = http_client()


@asynccontextmanager
async def lifespan(_: App[Any]) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url="https://rates.example") as client:
        yield client


app = App(lifespan=lifespan)


@app.block("lifespan")
async def from_lifespan(ctx: Context[httpx.AsyncClient]) -> Any:
    return (await ctx.state.get("/USD")).json()


@app.block("module")
async def from_module(ctx: Context) -> Any:
    return (await created_with_the_module.get(URL)).json()


@app.block("handler")
async def from_handler(ctx: Context) -> Any:
    async with http_client(timeout=1) as client:
        return (await client.get(URL)).json()


async def chunks() -> AsyncIterator[bytes]:
    yield b'{"a":'
    yield b"1}"


@app.block("posts")
async def posts(ctx: Context[httpx.AsyncClient], url: str = URL) -> Any:
    response = await ctx.state.post(url, content=chunks())
    return {"status": response.status_code, "text": response.text}


@app.block("careful")
async def careful(ctx: Context[httpx.AsyncClient]) -> str:
    try:
        await ctx.state.get("/USD")
    except Exception as error:  # noqa: BLE001 - what authors write
        return type(error).__name__
    return "no error"


CLIENTS = ["lifespan", "module", "handler"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("block", CLIENTS)
@pytest.mark.parametrize("using", ["httpcore", "httpx"])
async def test_respx_mocks_the_client(fake_dialog: FakeDialog, block: str, using: str) -> None:
    """Both ways of respx reach a client, wherever it was created."""
    with respx.mock(using=using) as mock:
        route = mock.get(URL).respond(json={"rate": 90})
        run = await fake_dialog.run(block)
    assert run.data == {"rate": 90}
    assert route.call_count == 1


@pytest.mark.parametrize("block", CLIENTS)
async def test_pytest_httpx_mocks_the_client(
    fake_dialog: FakeDialog, httpx_mock: HTTPXMock, block: str
) -> None:
    """The same with pytest-httpx."""
    httpx_mock.add_response(url=URL, json={"rate": 90})
    assert (await fake_dialog.run(block)).data == {"rate": 90}


async def test_errors_and_bodies_are_mocked_too(
    fake_dialog: FakeDialog, respx_mock: respx.MockRouter
) -> None:
    """A mock sees the whole request, and may answer with an error."""
    route = respx_mock.post(URL, json={"a": 1}).mock(
        side_effect=[httpx.Response(503, text="later"), httpx.ConnectError("refused")]
    )
    assert (await fake_dialog.run("posts")).data == {"status": 503, "text": "later"}
    run = await fake_dialog.run("posts")
    assert isinstance(run.error, httpx.ConnectError)
    assert route.call_count == 2


async def test_respx_complains_of_a_request_without_a_route(fake_dialog: FakeDialog) -> None:
    """As with httpx's own client."""
    with respx.mock:
        run = await fake_dialog.run("lifespan")
    assert "not mocked" in str(run.error)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"0\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nreal")
    writer.close()


@pytest.mark.parametrize("mocked", [False, True], ids=["no mocks", "mocks of other hosts"])
async def test_this_machine_is_allowed(fake_dialog: FakeDialog, mocked: bool) -> None:
    """A server of the test is reached over a socket, with the whole body of a stream."""
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        with respx.mock(assert_all_called=False) as mock:
            if mocked:
                mock.get(URL).respond(json={})
            mock.route(host="127.0.0.1").pass_through()
            run = await fake_dialog.run("posts", url=url)
    assert run.data == {"status": 200, "text": "real"}


@pytest.mark.parametrize("block", [*CLIENTS, "careful"])
async def test_a_request_that_nothing_mocks_is_refused(block: str) -> None:
    """The error names the host; the test fails in the end even if the block handles the error."""
    guard = NetworkGuard([])
    with guard.active():
        run = await FakeDialog(app).run(block)
    if block == "careful":
        assert run.data == {"result": "UnmockedRequest"}
    else:
        assert isinstance(run.error, UnmockedRequest)
        assert "rates.example" in str(run.error)
        assert "test_mocking.py:" in repr(run)
        assert run.error.__context__ is None
    with pytest.raises(AssertionError, match=r"request to rates\.example, which the test does not"):
        guard.check()


@pytest.mark.parametrize(
    "host, allowed, refused",
    [
        ("rates.example", [], True),
        ("rates.example", ["other.example"], True),
        ("rates.example.evil", ["rates.example"], True),
        ("10.0.0.1", [], True),
        ("rates.example", ["RATES.example"], False),
        ("a.rates.example", ["*.example"], False),
        ("10.0.0.1", ["*"], False),
        ("localhost", [], False),
        ("db.localhost", [], False),
        ("127.8.0.1", [], False),
        ("[::1]", [], False),
    ],
)
def test_hosts_are_allowed_by_patterns(host: str, allowed: list[str], refused: bool) -> None:
    """Loopback addresses always, and what the test or its configuration allows."""
    guard, request = NetworkGuard(allowed), httpx.Request("GET", f"http://{host}/")
    with pytest.raises(UnmockedRequest) if refused else nullcontext():
        guard._check_request(request)


@pytest.mark.vertexkit_allow_hosts("rates.example")
async def test_the_marker_allows_a_host(
    fake_platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to it is sent; here, its name is not resolved."""

    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    async with http_client(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(URL)


async def test_without_the_fixtures_nothing_changes() -> None:
    """A client outside of a guard uses its own connections: mocks of httpx do not reach it."""
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with respx.mock(assert_all_called=False) as mock:
            mock.route(host="127.0.0.1").respond(text="mocked")
            async with http_client() as client:
                response = await client.post(f"http://127.0.0.1:{port}/", content=chunks())
    assert response.text == "real"
