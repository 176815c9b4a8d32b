"""The wire of production: HTTP/1.1 on the event loop's own transports.

It does what the two requests of an execution need, and nothing else: no proxies, redirects,
cookies, compression or retries. In return it costs a fraction of a general HTTP client (see
benchmarks/README.md), and it knows for each failed request whether a byte of it can have been sent.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from errno import ECONNRESET
from functools import partial

from aiohappyeyeballs import AddrInfoType, start_connection
from anyio import to_thread
from yarl import URL

from vertexkit.botone.certificates import tls_context
from vertexkit.botone.connecting import describe_connection_error
from vertexkit.botone.headers import VERTEX_HEADERS
from vertexkit.botone.response import Response
from vertexkit.botone.wire import CONNECT_TIMEOUT_SECONDS, parse_url
from vertexkit.botone.wire_connection import WireConnection
from vertexkit.botone.wire_pool import WirePool
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown

ADDRESS_SECONDS = 10.0
"""How long the addresses of a host are used before its name is resolved again."""
NEXT_ADDRESS_SECONDS = 0.25
"""After this time the next address of a host is tried beside the one that does not answer; the
value that RFC 8305 recommends."""


class _Origin:
    """A server: its address, and the connections to it.

    Attributes:
        idle: the connections without a request; see `WirePool`.
    """

    def __init__(self, host: str, port: int, uses_tls: bool) -> None:
        self.host = host
        self.port = port
        self.uses_tls = uses_tls
        self.idle: list[WireConnection] = []
        self._addresses: Sequence[AddrInfoType] = ()
        self._resolve_at = 0.0
        self._resolving = asyncio.Lock()

    async def addresses(self) -> Sequence[AddrInfoType]:
        """Resolve the host's name; connections that are opened together resolve it once."""
        async with self._resolving:
            loop = asyncio.get_running_loop()
            if self._resolve_at <= loop.time():
                self._addresses = await loop.getaddrinfo(
                    self.host, self.port, type=socket.SOCK_STREAM
                )
                self._resolve_at = loop.time() + ADDRESS_SECONDS
            return self._addresses


@dataclass(frozen=True, slots=True)
class _Route:
    """What a URL means for each request to it."""

    origin: _Origin
    path: str
    """For errors."""
    head: bytes
    """The request up to the value of `Content-Length`."""


class SocketWire:
    """A wire over its own HTTP/1.1 connections; see `Wire`.

    It opens as many connections as there are requests in progress; `Vertex` limits those. It
    connects directly, whatever the environment's proxies are: the service uses `AiohttpWire` where
    a proxy is needed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = WirePool()
        self._routes: dict[str, _Route] = {}
        self._origins: dict[URL, _Origin] = {}
        self._tls_context: ssl.SSLContext | None = None
        self._is_closed = False

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        route = self._routes.get(url) or self._find_route(url)
        deadline = self._loop.time() + timeout
        connection = self._pool.take(route.origin.idle) or await self._connect(route, deadline)
        request = b"%b%d\r\n\r\n%b" % (route.head, len(body), body)
        waiter = connection.send(request, deadline)
        self._pool.watch(deadline)
        try:
            result = await waiter
        except asyncio.CancelledError:
            connection.abandon(waiter)
            raise
        if isinstance(result, Response):
            return result
        raise SendOutcomeUnknown("POST", route.path, reason=result)

    async def close(self) -> None:
        self._is_closed = True
        await self._pool.close()

    def _find_route(self, url: str) -> _Route:
        target = parse_url(url)
        root = target.origin()
        origin = self._origins.get(root)
        if origin is None:
            host, port = target.raw_host or "", target.port or 0
            origin = self._origins[root] = _Origin(host, port, target.scheme == "https")
        headers = {"Host": target.host_port_subcomponent or "", **VERTEX_HEADERS}
        lines = [f"POST {target.raw_path_qs} HTTP/1.1", *map(": ".join, headers.items())]
        head = "\r\n".join([*lines, "Content-Length: "]).encode("latin-1")
        return self._routes.setdefault(url, _Route(origin, target.path, head))

    async def _connect(self, route: _Route, deadline: float) -> WireConnection:
        """Open a connection.

        Raises:
            PlatformUnreachable: there is none; nothing was sent.
        """
        origin = route.origin
        reason = "connecting took too long"
        limit = asyncio.timeout(min(CONNECT_TIMEOUT_SECONDS, deadline - self._loop.time()))
        try:
            async with limit:
                connection = await self._open(origin)
            if self._loop.time() < deadline:
                return connection
            connection.close()
        except (OSError, ValueError, RuntimeError) as error:  # the last one is uvloop's
            if not limit.expired():
                reason = describe_connection_error(origin.host, origin.port, error)
        raise PlatformUnreachable("POST", route.path, reason=f"no connection: {reason}")

    async def _open(self, origin: _Origin) -> WireConnection:
        if self._is_closed:
            raise ConnectionAbortedError("the service is stopping")
        tls = await self._find_tls_context() if origin.uses_tls else None
        opened = await start_connection(
            await origin.addresses(), happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, loop=self._loop
        )
        try:
            _, connection = await self._loop.create_connection(
                partial(WireConnection, self._pool),
                sock=opened,
                ssl=tls,
                server_hostname=origin.host if tls is not None else None,
            )
        except BaseException:
            opened.close()  # uvloop leaves it open if the connection fails early
            raise
        if not connection.is_open:  # uvloop reads its end before this task runs
            raise ConnectionResetError(ECONNRESET, "the server closed the connection")
        self._pool.add(connection, origin.idle)
        return connection

    async def _find_tls_context(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = await to_thread.run_sync(tls_context)  # it reads files
        return self._tls_context
