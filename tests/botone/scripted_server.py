"""A scripted platform at the other end of each wire."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from tests.waiting import PATIENCE_SECONDS
from vertexkit.botone.wire import Wire
from vertexkit.testing.asgi_wire import AsgiWire

HOST = "127.0.0.1"
BACKLOG = 1000
"""More than a test opens at once: a connection for which there is no place is tried again in a second."""
Then = Literal["end", "break", "reset", "hang"]
"""What happens after the response's body; all but `end` happen before the body is complete."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The scripted response to a request that was read completely."""

    status: int | None = 200
    """None: there is no response."""
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    then: Then = "end"
    raw: bytes | None = None
    """Only over sockets: bytes that are written instead of a response, before the end."""

    def to_bytes(self) -> bytes:
        """Return the response for a socket; `Content-Length` is too large unless it ends."""
        if self.raw is not None:
            return self.raw
        if self.status is None:
            return b""
        length = len(self.body) + (0 if self.then == "end" else 1)
        headers = [*self.headers, ("Content-Length", str(length))]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"HTTP/1.1 {self.status} Status\r\n{lines}\r\n".encode() + self.body


class ScriptedServer:
    """A platform with scripted responses, and the wire that leads to it.

    Attributes:
        url: its base URL, without a slash at the end.
        requests: the requests that arrived completely.
        arrived: set when the first one has arrived.
        crowd: if set, the responses wait until the barrier's number of requests has arrived.
        crowd_body: only requests whose bodies contain these bytes wait, and are counted.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.wire: Wire
        self.requests: list[Request] = []
        self.arrived = asyncio.Event()
        self.crowd: asyncio.Barrier | None = None
        self.crowd_body = b""
        self._replies: list[Reply] = []

    def will(
        self,
        status: int | None = 200,
        body: bytes = b"{}",
        then: Then = "end",
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> None:
        """Add a response to the script; the last one is repeated."""
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        self._replies.append(Reply(status, body, named, then, raw))

    def forget(self) -> None:
        """Empty the script."""
        self._replies.clear()

    async def take(self, request: Request) -> Reply:
        self.requests.append(request)
        self.arrived.set()
        if self.crowd is not None and self.crowd_body in request.body:
            await self.crowd.wait()
        if not self._replies:
            return Reply()
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]


class AsgiServer(ScriptedServer):
    """A platform in this process."""

    def __init__(self) -> None:
        super().__init__("http://platform.test/api")
        self.wire = AsgiWire(self._answer)

    async def _answer(
        self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]
    ) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        reply = await self.take(Request(scope["method"], scope["path"], query, headers, body))
        if reply.status is not None:
            sent = [(name.encode(), value.encode()) for name, value in reply.headers]
            start = {"type": "http.response.start", "status": reply.status, "headers": sent}
            await send(start)
            more = reply.then != "end"
            await send({"type": "http.response.body", "body": reply.body, "more_body": more})
        if reply.then == "hang":
            await asyncio.Event().wait()
        if reply.then != "end":
            raise ConnectionResetError


class SocketServer(ScriptedServer):
    """A platform at the other end of a socket, with valid or invalid HTTP.

    Attributes:
        connections: the number of accepted connections.
        left: set when a client has closed a connection.
        deaf: whether it resets each connection before it reads a byte.
    """

    def __init__(self, url: str, wire: Wire) -> None:
        super().__init__(url)
        self.wire = wire
        self.connections = 0
        self.left = asyncio.Event()
        self.deaf = False
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while not self.deaf and await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        if self.deaf:
            reset(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Respond to one request; return whether another one may follow on the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip()
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        path, _, query = target.partition("?")
        reply = await self.take(Request(method, path, query, headers, body))
        writer.write(reply.to_bytes())
        await writer.drain()
        if reply.then == "hang":
            await reader.readexactly(1)
        if reply.then == "reset":
            reset(writer)
        return reply.then == "end" and reply.raw is None

    def abandon(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


def reset(writer: asyncio.StreamWriter) -> None:
    """Abort the connection with RST instead of an orderly end."""
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


@asynccontextmanager
async def over_sockets(wire: Wire) -> AsyncIterator[SocketServer]:
    """Serve a scripted platform behind a socket, and lead this wire to it."""
    server = SocketServer("", wire)
    async with await asyncio.start_server(server.serve, HOST, 0, backlog=BACKLOG) as listener:
        server.url = f"http://{HOST}:{listener.sockets[0].getsockname()[1]}/api"
        try:
            yield server
        finally:
            server.abandon()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await wire.close()
