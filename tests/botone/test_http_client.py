"""The HTTP client for requests of blocks to other services."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.http_server import served
from tests.reserved_port import reserved_port
from vertexkit import App, Context, http_client
from vertexkit.testing import FakeDialog

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(request: Request) -> Response:
    """Respond with the request and the port of its connection."""
    return JSONResponse(
        {
            "path": request.url.path,
            "query": dict(request.query_params),
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
            "port": request.scope["client"][1],
        }
    )


async def away(request: Request) -> Response:
    return RedirectResponse("/echo")


async def hang(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def service() -> AsyncIterator[str]:
    """Return the URL of a service behind a real uvicorn."""
    app = Starlette(
        routes=[
            Route("/echo", echo, methods=["GET", "POST"]),
            Route("/away", away),
            Route("/hang", hang),
        ]
    )
    async with served(app) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def raw_service(serve: Serve) -> AsyncIterator[str]:
    """Return the URL of a service with invalid HTTP."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_it_is_httpx_over_aiohttp() -> None:
    """The client is an `httpx.AsyncClient` with aiohttp's connections."""
    async with http_client() as client:
        assert isinstance(client, httpx.AsyncClient)
        assert isinstance(client._transport, AiohttpTransport)


async def test_requests_and_responses(service: str) -> None:
    """Query, headers and a Russian JSON body arrive, and the response is read."""
    async with http_client() as client:
        answer = await client.post(
            f"{service}/echo",
            params={"q": "Пермь"},
            headers={"x-key": "1"},
            json={"город": "Пермь"},
        )
    content = answer.raise_for_status().json()
    assert content["query"] == {"q": "Пермь"}
    assert content["headers"]["x-key"] == "1"
    assert content["body"] == '{"город":"Пермь"}'


async def test_httpx_options_pass_through(service: str) -> None:
    """Base URL, headers, authentication and redirects are those of `httpx.AsyncClient`."""
    async with http_client(
        base_url=service, headers={"x-key": "1"}, auth=("me", "secret"), follow_redirects=True
    ) as client:
        content = (await client.get("/away")).json()
    assert content["path"] == "/echo"
    assert content["headers"]["x-key"] == "1"
    assert content["headers"]["authorization"].startswith("Basic ")


async def test_connections_are_used_again(service: str) -> None:
    """Consecutive requests use one connection."""
    async with http_client(base_url=service) as client:
        ports = {(await client.get("/echo")).json()["port"] for _ in range(5)}
    assert len(ports) == 1


async def test_connections_are_limited(service: str) -> None:
    """With many requests at the same time, no more connections than the limit are open."""
    limits = httpx.Limits(max_connections=2)
    async with http_client(base_url=service, limits=limits) as client:
        answers = await asyncio.gather(*(client.get("/echo") for _ in range(20)))
    assert len({answer.json()["port"] for answer in answers}) <= 2


async def test_an_idle_connection_goes_before_its_server_closes_it() -> None:
    """Idle connections are closed before common servers close them."""
    async with http_client() as client:
        assert isinstance(client._transport, AiohttpTransport)
        expiry = client._transport.limits.keepalive_expiry
    assert expiry is not None
    assert expiry < uvicorn.Config(echo).timeout_keep_alive


async def test_requests_have_a_default_timeout() -> None:
    """The default timeouts are far below a block's timeout and can be changed."""
    async with http_client() as client:
        assert client.timeout == httpx.Timeout(10, connect=5)
    async with http_client(timeout=1) as client:
        assert client.timeout == httpx.Timeout(1)


async def test_a_service_that_hangs_times_out(service: str) -> None:
    """The timeout applies to real sockets."""
    async with http_client(base_url=service, timeout=httpx.Timeout(20, read=0.05)) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/hang")


@pytest.mark.unmeasured
async def test_a_thousand_cancelled_requests_leave_the_client_usable(service: str) -> None:
    """No connection of its limit is lost."""
    moments = random.Random(47)
    async with http_client(limits=httpx.Limits(max_connections=5)) as client:
        for _ in range(100):
            tasks = [asyncio.create_task(client.get(f"{service}/hang")) for _ in range(10)]
            for _ in range(moments.randrange(40)):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        answers = await asyncio.gather(*(client.get(f"{service}/echo") for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10


async def test_a_refused_connection_is_a_connect_error() -> None:
    """The exception of a refused connection says that nothing was sent."""
    with reserved_port() as port:
        async with http_client() as client:
            with pytest.raises(httpx.ConnectError) as caught:
                await client.get(f"http://127.0.0.1:{port}/")
    assert caught.value.request.url.port == port


async def read_head(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    writer.transport.abort()


async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    writer.write(b"220 mail.example ESMTP\r\n\r\n")


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


@pytest.mark.parametrize("serve", [hang_up, reset, garble, break_off])
async def test_a_broken_answer_is_an_http_error_after_sending(serve: Serve) -> None:
    """All exceptions are `httpx.HTTPError`, and none of them says that nothing was sent."""
    async with raw_service(serve) as url, http_client() as client:
        with pytest.raises(httpx.HTTPError) as caught:
            await client.post(url, content=b"once")
    assert not isinstance(caught.value, (httpx.ConnectError, httpx.TimeoutException))
    assert caught.value.request.method == "POST"


async def test_a_block_shares_one_by_its_lifespan(service: str) -> None:
    """A client of the lifespan is in `ctx.state`, is shared by executions and is closed."""
    clients = []

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[httpx.AsyncClient]:
        async with http_client(base_url=service) as client:
            clients.append(client)
            yield client

    app = App(lifespan=lifespan)

    @app.block("ask")
    async def ask(ctx: Context) -> Any:
        return (await ctx.state.get("/echo")).json()["path"]

    async with FakeDialog(app) as dialog:
        runs = [await dialog.run("ask") for _ in range(2)]
    assert [run.data for run in runs] == [{"result": "/echo"}] * 2
    assert [client.is_closed for client in clients] == [True]
