"""One connection from a client: uvicorn's, with limits on its time and its bytes."""

import asyncio
from enum import Enum
from typing import Any, NamedTuple, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from vertexkit.server.limits import (
    BODY_OVERHEAD_FACTOR,
    LINGER_BYTES,
    LINGER_SECONDS,
    MAX_HEADER_FIELDS,
    MAX_PIPELINED_REQUESTS,
)
from vertexkit.server.pool import Awaited, ConnectionPool
from vertexkit.server.problems import problem
from vertexkit.server.transport import BatchedTransport


class Phase(Enum):
    """What a connection is doing.

    IDLE > HEAD > BODY > RESPONSE > IDLE is the usual way. A response before the end of the body
    leads from BODY to DISCARDING, and a rejection from any phase to REJECTED.
    """

    IDLE = 0
    """Between two requests, or before the first."""
    HEAD = 1
    """The request line and the headers arrive."""
    BODY = 2
    """The body arrives."""
    RESPONSE = 3
    """The request is complete, and the app answers it."""
    DISCARDING = 4
    """The app answered before the body was complete: the rest of the body is discarded."""
    REJECTED = 5
    """All bytes are discarded until the client closes the connection."""


HTTP_VERSIONS = ("1.1", "1.0")
FRAMING_HEADERS = (b"content-length", b"transfer-encoding")
AWAITED = {
    Phase.IDLE: Awaited.NEXT_REQUEST,
    Phase.BODY: Awaited.BODY,
    Phase.RESPONSE: Awaited.RESPONSE,
}
"""What a connection waits for, in the phases that it enters by receiving bytes."""


class Rejection(NamedTuple):
    """Why a request is rejected before the app sees it."""

    status: int
    code: str
    detail: str

    def encode(self) -> bytes:
        """The bytes of the response, after which the connection is closed."""
        response = problem(self.status, self.code, self.detail)
        fields = [*response.raw_headers, (b"connection", b"close")]
        lines = [b"%b: %b\r\n" % field for field in fields]
        return b"".join([STATUS_LINE[self.status], *lines, b"\r\n", response.body])


MALFORMED_REQUEST = Rejection(400, "malformed_request", "The request is not valid HTTP/1.1.")
WRONG_HOST = Rejection(400, "malformed_request", "The request must have one header Host.")
HEAD_TOO_LARGE = Rejection(431, "head_too_large", "The request line and the headers are too large.")
BODY_TOO_LARGE = Rejection(413, "too_large", "The encoded request body is too large.")
HEAD_TIMEOUT = Rejection(
    408, "head_timeout", "The request line and the headers did not arrive in time."
)
BODY_TIMEOUT = Rejection(408, "body_timeout", "The request body did not arrive in time.")
TOO_MANY_PIPELINED = Rejection(
    429, "pipelined", "Too many requests are waiting on this connection."
)
TOO_MANY_CONNECTIONS = Rejection(503, "crowded", "Too many connections are open.")


class Connection(HttpToolsProtocol):
    """One connection, made by uvicorn from a `ServerConfig`."""

    headers: list[tuple[bytes, bytes]]
    parser: httptools.HttpRequestParser

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._pool: ConnectionPool = cast("Any", config).pool
        self._settings = self._pool.settings
        self._phase = Phase.IDLE
        self._phase_started = self.loop.time()
        self._phase_number = 0
        """Phases entered so far."""
        self._phase_bytes = 0
        """Bytes read in this phase, without those being parsed."""
        self._parsing_bytes = 0
        """Bytes being parsed."""
        self._parser_rejection = MALFORMED_REQUEST
        """Why the parser fails, if it does."""
        self._is_last_response = False
        """Whether the connection is closed after the current response."""
        self._resumed_head = b""
        """A head that frames the body of a request after which the parser has stopped."""
        self._is_chunked = False
        """Whether the body arrives in chunks: when it is discarded, its end is not looked for."""
        self._unread_since: float | None = None
        """When the client stopped reading the response."""

    @property
    def _newest_request(self) -> RequestResponseCycle | None:
        """The newest request whose head is complete."""
        return self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:
        """As uvicorn does; the pool may close this or another connection."""
        self._transport = BatchedTransport(transport, self._pool.batch)
        super().connection_made(cast("asyncio.Transport", self._transport))
        self._pool.add(self)

    def eof_received(self) -> None:
        """Write what this turn of the event loop has written: the transport closes itself now."""
        self._transport.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn does."""
        super().connection_lost(exc)
        self._pool.remove(self)

    def data_received(self, data: bytes) -> None:
        """Parse or discard bytes from the client."""
        if self._phase is Phase.REJECTED or (self._phase is Phase.DISCARDING and self._is_chunked):
            self._count_bytes(len(data))
            return
        self._unset_keepalive_if_required()
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        phase_number = self._phase_number
        self._parsing_bytes = len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._reject(self._parser_rejection)
            return
        if self._phase_number == phase_number:
            self._count_bytes(len(data))
        elif (awaited := AWAITED.get(self._phase)) is not None:
            self._pool.set_awaited(self, awaited)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is served, so the request is answered as HTTP/1.1. The parser has
            # stopped, even if a body follows, as it does with the client of Java's library.
            if self._resumed_head:
                self.parser = httptools.HttpRequestParser(_BodyCallbacks(self))
                self.parser.feed_data(self._resumed_head)
                self._resumed_head = b""
                self.parser.feed_data(data[upgrade.args[0] :])

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._phase_started = self.loop.time()
        self._phase_number += 1
        self._phase_bytes = 0

    def _count_bytes(self, size: int) -> None:
        """Limit the bytes of a phase: the parser keeps what it cannot process yet."""
        self._phase_bytes += size
        settings = self._settings
        match self._phase:
            case Phase.HEAD if self._phase_bytes > settings.head_limit:
                self._reject(HEAD_TOO_LARGE)
            case Phase.BODY if (
                self._phase_bytes > BODY_OVERHEAD_FACTOR * settings.body_limit + settings.head_limit
            ):
                self._reject(BODY_TOO_LARGE)
            case Phase.DISCARDING | Phase.REJECTED if self._phase_bytes > LINGER_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        """Parser callback: the first byte of a request."""
        super().on_message_begin()
        if self._phase is not Phase.HEAD:
            self._enter(Phase.HEAD)

    def on_headers_complete(self) -> None:
        """Parser callback: the end of a head."""
        if (rejection := self._head_rejection()) is not None:
            self._parser_rejection = rejection
            # The parser stops and raises an error, which `data_received` handles.
            raise ValueError(rejection.code)
        super().on_headers_complete()
        framing = [field for field in self.headers if field[0] in FRAMING_HEADERS]
        self._is_chunked = any(name == b"transfer-encoding" for name, _ in framing)
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False
            fields = b"".join(b"%b: %b\r\n" % field for field in framing)
            self._resumed_head = b"POST / HTTP/1.1\r\n%b\r\n" % fields if framing else b""
        self.headers = []  # collects trailers, which the app does not receive
        self._enter(Phase.BODY)

    def _head_rejection(self) -> Rejection | None:
        """Why the request whose head is complete is rejected; None if it is not."""
        if len(self.pipeline) > MAX_PIPELINED_REQUESTS:
            return TOO_MANY_PIPELINED
        if self._is_head_too_large():
            return HEAD_TOO_LARGE
        version = self.parser.get_http_version()
        if version not in HTTP_VERSIONS:
            return MALFORMED_REQUEST
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts == 1 or (hosts == 0 and version == "1.0"):
            return None
        return WRONG_HOST

    def _is_head_too_large(self) -> bool:
        if len(self.headers) > MAX_HEADER_FIELDS:
            return True
        if self._phase_bytes + self._parsing_bytes <= self._settings.head_limit:
            return False
        size: int = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return bool(size > self._settings.head_limit)

    def on_message_complete(self) -> None:
        """Parser callback: the end of a request."""
        if self._resumed_head:  # the parser stopped because of the upgrade; the body follows
            return
        super().on_message_complete()
        self._enter(Phase.RESPONSE if self._phase is Phase.BODY else Phase.IDLE)

    def on_response_complete(self) -> None:
        """Uvicorn's callback: the app has sent the response."""
        is_pipelined = bool(self.pipeline)
        super().on_response_complete()  # starts the next request of the pipeline
        if self.transport.is_closing() or is_pipelined:
            return
        if self._is_last_response:
            self.transport.close()
        elif self._phase is Phase.BODY:
            self._enter(Phase.DISCARDING)
            self._pool.set_awaited(self, Awaited.CLOSE)
        else:
            if self._phase is Phase.RESPONSE:
                self._enter(Phase.IDLE)
            self._pool.set_awaited(self, Awaited.NEXT_REQUEST)

    def pause_writing(self) -> None:
        """As uvicorn does; from now on the client has to read."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """As uvicorn does."""
        super().resume_writing()
        self._unread_since = None

    def check_deadlines(self, now: float) -> None:
        """As `PooledConnection.check_deadlines`."""
        elapsed, settings = now - self._phase_started, self._settings
        if self._unread_since is not None and now - self._unread_since > settings.body_timeout:
            self._pool.report_rejection("unread")
            self.transport.abort()
            return
        match self._phase:
            case Phase.IDLE if self._newest_request is None and elapsed > settings.head_timeout:
                self._pool.report_rejection("silent")
                self.transport.close()
            case Phase.HEAD if elapsed > settings.head_timeout:
                self._reject(HEAD_TIMEOUT)
            case Phase.BODY if elapsed > settings.body_timeout:
                self._reject(BODY_TIMEOUT)
            case Phase.DISCARDING | Phase.REJECTED if elapsed > LINGER_SECONDS:
                self.transport.abort()

    def evict(self) -> None:
        """As `PooledConnection.evict`."""
        if self._phase is Phase.BODY:
            self._send_rejection(TOO_MANY_CONNECTIONS)
        self.transport.close()

    def _reject(self, rejection: Rejection) -> None:
        """Answer now, and close when the client has had time to read the response."""
        self._pool.report_rejection(rejection.code)
        newest = self._newest_request
        is_earlier_open = (
            self._phase is Phase.HEAD and newest is not None and not newest.response_complete
        )
        if is_earlier_open or self.pipeline:  # these are answered, and then nothing more
            if self._phase is Phase.BODY:
                self.pipeline.popleft()
            self._is_last_response = True
        else:
            self._send_rejection(rejection)
        self._enter(Phase.REJECTED)
        self._pool.set_awaited(self, Awaited.CLOSE)

    def _send_rejection(self, rejection: Rejection) -> None:
        if self._phase is Phase.BODY:  # the app is waiting for it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if self._phase is Phase.BODY and self.cycle.response_started:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(rejection.encode())
            if self.transport.can_write_eof():
                self.transport.write_eof()


class _BodyCallbacks:
    """A parser's callbacks for the body of a connection, without those for the head."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete
