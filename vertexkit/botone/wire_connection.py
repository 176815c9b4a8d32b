"""One HTTP/1.1 connection of a `SocketWire`: it sends a request and reads its response."""

import asyncio
import re
import select
from typing import Protocol, cast

import httptools

from vertexkit.botone.response import Response
from vertexkit.botone.wire import KEEP_ALIVE_SECONDS, MAX_RESPONSE_BYTES

MAX_HEAD_BYTES = 64 * 1024
"""Bytes that may arrive before the end of a response's headers, interim responses included."""
MAX_RECEIVED_BYTES = 8 * MAX_RESPONSE_BYTES
"""Bytes that may arrive after the headers: a body in tiny chunks is much longer on the wire."""
KEEP_ALIVE_SHARE = 0.8
"""The part of the time that a server announces in `Keep-Alive` after which a connection is closed
here, so that the server does not close it while a request is being sent."""
SWITCHING_PROTOCOLS = 101
CONNECTION_LOST = "the connection was lost"

_TIMEOUT = re.compile(rb"(?:^|[\s,])timeout=(\d{1,6})", re.IGNORECASE)


class ConnectionObserver(Protocol):
    """What a `WireConnection` reports to."""

    def connection_idle(self, connection: "WireConnection", /) -> None:
        """Record a connection that can take the next request."""

    def connection_closed(self, connection: "WireConnection", /) -> None:
        """Record a connection that can take no request any more. It is called once."""


class WireConnection(asyncio.Protocol):
    """A connection: idle, or with one request in progress.

    A request ends with its response, with the connection, at its deadline, or with its
    cancellation. Whatever does not end in a complete response closes the connection, because the
    rest of a response must not be read as the response to the next request.

    Args:
        observer: learns about the connection's states.

    Attributes:
        deadline: a time of the event loop: of the request, or of the idle connection.
    """

    def __init__(self, observer: ConnectionObserver) -> None:
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self.deadline: float = self._loop.time() + KEEP_ALIVE_SECONDS
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._is_readable: select.poll | None = None
        self._is_open = False
        self._waiter: asyncio.Future[Response | str] | None = None
        self._prepare()

    def _prepare(self) -> None:
        """Forget the last response."""
        self._status = 0
        """0: the headers have not arrived."""
        self._retry_after: str | None = None
        self._body = bytearray()
        self._is_complete = False
        self._is_reusable = False
        self._allowed_bytes = MAX_HEAD_BYTES
        self._keep_alive = KEEP_ALIVE_SECONDS

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, as far as the event loop has noticed."""
        return self._is_open

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent.

        It cannot be if the server has closed the connection, even if the event loop has not
        noticed it: while the connection is idle, nothing but its end can arrive.
        """
        if not self._is_open or self._transport.is_closing() or self.deadline <= self._loop.time():
            return False
        return self._is_readable is None or not self._is_readable.poll(0)

    def send(self, request: bytes, deadline: float) -> "asyncio.Future[Response | str]":
        """Send a request.

        Args:
            request: the head and the body.
            deadline: a time of the event loop.

        Returns:
            A future with the response; or with the reason why there is none. A response whose body
            is incomplete is a response.
        """
        self.deadline = deadline
        self._waiter = waiter = self._loop.create_future()
        self._transport.write(request)
        return waiter

    def abandon(self, waiter: "asyncio.Future[Response | str]") -> None:
        """Close the connection if it is still used by this request."""
        if self._waiter is waiter:
            self.close()

    def expire(self) -> None:
        """End the request at its deadline, or close the idle connection."""
        self._end("no response in time")

    def close(self) -> None:
        """Close the connection at once. A request in progress ends without a response."""
        self._end(CONNECTION_LOST)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        socket = transport.get_extra_info("socket")
        if socket is not None and hasattr(select, "poll"):  # not on Windows
            self._is_readable = select.poll()
            self._is_readable.register(socket.fileno(), select.POLLIN)
        self._is_open = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:  # no request was sent
            self.close()
            return
        self._allowed_bytes -= len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._is_reusable = False
            if not self._is_complete:
                self._end("the response is not valid HTTP")
        if self._is_complete:
            self._deliver()
        elif self._allowed_bytes < 0:
            self._end("the response is too long")

    def eof_received(self) -> None:
        self._end(CONNECTION_LOST)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._end(CONNECTION_LOST)

    def on_message_begin(self) -> None:
        if self._is_complete:  # more than the response to the request
            self._is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status:  # a trailer
            return
        name = name.lower()
        if name == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif name == b"keep-alive" and (found := _TIMEOUT.search(value)):
            self._keep_alive = min(KEEP_ALIVE_SECONDS, int(found[1]) * KEEP_ALIVE_SHARE)

    def on_headers_complete(self) -> None:
        if self._status:
            return
        status = self._parser.get_status_code()
        if status < 200 and status != SWITCHING_PROTOCOLS:  # interim: the response follows
            self._retry_after = None
            return
        self._status = status
        self._is_reusable = status >= 200 and self._parser.should_keep_alive()
        self._allowed_bytes = MAX_RECEIVED_BYTES

    def on_body(self, data: bytes) -> None:
        if self._is_complete:
            return
        self._body += data
        if len(self._body) > MAX_RESPONSE_BYTES:
            self._is_complete = True
            self._is_reusable = False

    def on_message_complete(self) -> None:
        if self._status:
            self._is_complete = True

    def _deliver(self) -> None:
        """Pass on a complete response, and keep the connection if the next request can use it."""
        if not self._is_reusable or self._transport.get_write_buffer_size():
            self._end("")
            return
        self._resolve("")
        self.deadline = self._loop.time() + self._keep_alive
        self._prepare()
        self._observer.connection_idle(self)

    def _end(self, reason: str) -> None:
        """Close the connection; a request in progress ends with what has arrived."""
        self._resolve(reason)
        if self._is_open:
            self._is_open = False
            self._observer.connection_closed(self)
            self._transport.abort()

    def _resolve(self, reason: str) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if self._status:
            body = bytes(self._body[:MAX_RESPONSE_BYTES])
            waiter.set_result(Response(self._status, body, self._retry_after))
        else:
            waiter.set_result(reason)
