"""A server with an app of five paths, and connections that misbehave."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from tests.http_connection import HttpConnection, HttpResponse
from tests.http_server import listening
from tests.waiting import PATIENCE_SECONDS
from vertexkit.server.connection import Connection
from vertexkit.settings import ServerSettings

LARGE = b"x" * 8_000_000


class Site:
    """The served app: `/` counts a body, `/early` reads none, `/late` waits before it reads.

    `/hold` waits after it has read, and the response of `/large` is large.
    """

    def __init__(self) -> None:
        self.rejections: Counter[str] = Counter()
        self.release = asyncio.Event()
        self.asked: list[tuple[str, int]] = []
        """Path and body size of each complete request."""
        self.broken = 0
        """Requests whose clients disconnected before their end."""
        self.port = 0
        self.connections = 0
        """Connections that the server has accepted."""
        self.received = 0
        """Bytes that it has read."""
        self.is_writing_paused = False
        """A client does not read what it is sent."""
        self._news = asyncio.Event()

    def connection_rejected(self, code: str) -> None:
        self.rejections[code] += 1
        self._news.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        path, size, more = scope["path"], 0, scope["path"] != "/early"
        if path == "/late":
            await self.release.wait()
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.broken += 1
                self._news.set()
                return
            size, more = size + len(message["body"]), message["more_body"]
        self.asked.append((path, size))
        self._news.set()
        if path == "/hold":
            await self.release.wait()
        body = LARGE if path == "/large" else str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        headers += [(b"x-fields", str(len(scope["headers"])).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def notice(self, connections: int = 0, received: int = 0, paused: bool = False) -> None:
        """Record what the server's connections do."""
        self.connections += connections
        self.received += received
        self.is_writing_paused |= paused
        self._news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true; it is checked again after each event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def has_read(self, number: int) -> None:
        """Wait until the server has read this many bytes."""
        await self.until(lambda: self.received >= number)

    @asynccontextmanager
    async def line(self, first: bytes = b"") -> AsyncIterator[HttpConnection]:
        """A connection, after these first bytes."""
        line = HttpConnection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            await line.send(first)
            yield line
        finally:
            await line.hang_up()

    async def ask(self, request: bytes) -> HttpResponse:
        """The response to these bytes."""
        async with self.line(request) as line:
            return await line.answer()


Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Site]]


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Site]:
    """A site on a server with these settings."""
    site = Site()
    with pytest.MonkeyPatch.context() as patch:
        observe(patch, site)
        async with listening(site, ServerSettings.model_construct(**settings), site) as site.port:
            yield site
            site.release.set()


def observe(patch: pytest.MonkeyPatch, site: Site) -> None:
    """Let the site know what each connection of its server does, once it has done it."""
    made, received = Connection.connection_made, Connection.data_received
    pause = Connection.pause_writing

    def connection_made(self: Connection, transport: asyncio.Transport) -> None:
        made(self, transport)
        site.notice(connections=1)

    def data_received(self: Connection, data: bytes) -> None:
        received(self, data)
        site.notice(received=len(data))

    def pause_writing(self: Connection) -> None:
        pause(self)
        site.notice(paused=True)

    for method in (connection_made, data_received, pause_writing):
        patch.setattr(Connection, method.__name__, method)


def get(path: str = "/", *fields: str) -> bytes:
    """A whole request without a body."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


def post(size: int, *fields: str, path: str = "/") -> bytes:
    """The head of a request with a body of this size."""
    length = f"Content-Length: {size}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", length, *fields, "", ""]).encode()


def chunked(path: str = "/") -> bytes:
    """The head of a request whose body comes in chunks."""
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
