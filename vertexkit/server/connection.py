"""One connection of a stranger: uvicorn's, with limits to its time and its bytes."""

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

from vertexkit.server.limits import CHUNKING, HEADERS, LINGER, LINGER_BYTES, PIPELINED
from vertexkit.server.pool import Door, Wait
from vertexkit.server.problems import problem


class Phase(Enum):
    """Where a connection is."""

    QUIET = 0
    """Between two requests, or before the first."""
    HEAD = 1
    BODY = 2
    ANSWER = 3
    """The whole request is here, and its answer under way."""
    REST = 4
    """The answer was given before the body had come: what comes of it is thrown away."""
    OVER = 5
    """Refused: whatever comes is thrown away, until the caller closes its end too."""


FRAMING = (b"content-length", b"transfer-encoding")
WAITS = {Phase.QUIET: Wait.NEXT, Phase.BODY: Wait.BODY, Phase.ANSWER: Wait.ANSWER}
"""What a connection waits for, in the phases into which its own bytes bring it."""


class Refusal(NamedTuple):
    """Why a request never becomes one for the app."""

    status: int
    code: str
    detail: str

    def written(self) -> bytes:
        """The answer, after which the connection closes."""
        said = problem(self.status, self.code, self.detail)
        fields = [*said.raw_headers, (b"connection", b"close")]
        lines = [b"%b: %b\r\n" % field for field in fields]
        return b"".join([STATUS_LINE[self.status], *lines, b"\r\n", said.body])


MALFORMED = Refusal(400, "malformed_request", "This is not HTTP/1.1.")
LARGE_HEAD = Refusal(431, "head_too_large", "The request's line and headers are too large.")
LARGE_BODY = Refusal(413, "too_large", "The body, with all that frames it, is too large.")
SLOW_HEAD = Refusal(408, "head_timeout", "The request's line and headers took too long.")
SLOW_BODY = Refusal(408, "body_timeout", "The body took too long.")
IMPATIENT = Refusal(429, "pipelined", "Too many requests wait for the answers before theirs.")
CROWDED = Refusal(503, "crowded", "Too many connections are open.")


class Connection(HttpToolsProtocol):
    """One connection, made by uvicorn from an `EdgeConfig`."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door: Door = cast("Any", config).door
        self._limits = self._door.limits
        self._phase = Phase.QUIET
        self._since = self.loop.time()
        """Since when it is in this phase."""
        self._turns = self._taken = 0
        """Phases so far; bytes that were read in this one, without the piece being read."""
        self._read = 0
        """Bytes of that piece."""
        self._wrong = MALFORMED
        self._last = False
        """What is being answered is the last answer."""
        self._frame = b""
        """A head that frames a body which the parser has given up."""
        self._is_chunked = False
        """The request's body comes in chunks: once nobody wants it, its end is not looked for."""
        self._stuck: float | None = None
        """Since when the caller does not read."""

    @property
    def _asked(self) -> RequestResponseCycle | None:
        """The newest request whose head was complete."""
        return self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._door.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._door.leave(self)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.OVER or (self._phase is Phase.REST and self._is_chunked):
            self._count(len(data))
            return
        self._unset_keepalive_if_required()
        if self._phase is Phase.QUIET:
            self._turn(Phase.HEAD)
        turns = self._turns
        self._read = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._wrong)
            return
        if self._turns == turns:
            self._count(len(data))
        elif (wait := WAITS.get(self._phase)) is not None:
            self._door.waits(self, wait)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nobody speaks anything else here, so the request is answered as HTTP/1.1. The parser
            # has ended, also where a body follows, as it does from Java's own client.
            if self._frame:
                self.parser = httptools.HttpRequestParser(_Body(self))
                self.parser.feed_data(self._frame)
                self._frame = b""
                self.parser.feed_data(data[upgrade.args[0] :])

    def _turn(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.loop.time()
        self._turns += 1
        self._taken = 0

    def _count(self, size: int) -> None:
        """The parser keeps what it has not understood yet: that must not grow without end."""
        self._taken += size
        match self._phase:
            case Phase.HEAD if self._taken > self._limits.head:
                self._refuse(LARGE_HEAD)
            case Phase.BODY if self._taken > CHUNKING * self._limits.body + self._limits.head:
                self._refuse(LARGE_BODY)
            case Phase.REST | Phase.OVER if self._taken > LINGER_BYTES:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._phase is not Phase.HEAD:
            self._turn(Phase.HEAD)

    def on_headers_complete(self) -> None:
        if self._is_too_large() or len(self.pipeline) > PIPELINED:
            self._wrong = IMPATIENT if len(self.pipeline) > PIPELINED else LARGE_HEAD
            raise ValueError(self._wrong.code)  # the parser ends, and `data_received` hears of it
        super().on_headers_complete()
        framed = [field for field in self.headers if field[0] in FRAMING]
        self._is_chunked = any(name == b"transfer-encoding" for name, _ in framed)
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False
            fields = b"".join(b"%b: %b\r\n" % field for field in framed)
            self._frame = b"POST / HTTP/1.1\r\n%b\r\n" % fields if framed else b""
        self.headers = []  # for trailers, of which the app hears nothing
        self._turn(Phase.BODY)

    def _is_too_large(self) -> bool:
        if len(self.headers) > HEADERS:
            return True
        if self._taken + self._read <= self._limits.head:  # all that has come of it
            return False
        size: int = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return bool(size > self._limits.head)

    def on_message_complete(self) -> None:
        if self._frame:  # not yet: the parser only ends because it was asked to upgrade
            return
        super().on_message_complete()
        self._turn(Phase.ANSWER if self._phase is Phase.BODY else Phase.QUIET)

    def on_response_complete(self) -> None:
        more = bool(self.pipeline)
        super().on_response_complete()  # begins with the next
        if self.transport.is_closing() or more:
            return
        if self._last:
            self.transport.close()
        elif self._phase is Phase.BODY:
            self._turn(Phase.REST)
            self._door.waits(self, Wait.CLOSE)
        else:
            if self._phase is Phase.ANSWER:
                self._turn(Phase.QUIET)
            self._door.waits(self, Wait.NEXT)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck = None

    def check(self, now: float) -> None:
        """End it if its time is up.

        Args:
            now: by the clock of the event loop.
        """
        waited, limits = now - self._since, self._limits
        if self._stuck is not None and now - self._stuck > limits.body_timeout:
            self._door.turned_away("unread")
            self.transport.abort()
            return
        match self._phase:
            case Phase.QUIET if self._asked is None and waited > limits.head_timeout:
                self._door.turned_away("silent")
                self.transport.close()
            case Phase.HEAD if waited > limits.head_timeout:
                self._refuse(SLOW_HEAD)
            case Phase.BODY if waited > limits.body_timeout:
                self._refuse(SLOW_BODY)
            case Phase.REST | Phase.OVER if waited > LINGER:
                self.transport.abort()

    def give_way(self) -> None:
        """End it for somebody else, who may be served sooner."""
        if self._phase is Phase.BODY:
            self._break_off(CROWDED)
        self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer at once, and close when the caller has had time to read that."""
        self._door.turned_away(refusal.code)
        asked = self._asked
        earlier = self._phase is Phase.HEAD and asked is not None and not asked.response_complete
        if earlier or self.pipeline:  # they are answered first, and nothing after them
            if self._phase is Phase.BODY:
                self.pipeline.popleft()
            self._last = True
        else:
            self._break_off(refusal)
        self._turn(Phase.OVER)
        self._door.waits(self, Wait.CLOSE)

    def _break_off(self, refusal: Refusal) -> None:
        if self._phase is Phase.BODY:  # the app is waiting for it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if self._phase is Phase.BODY and self.cycle.response_started:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(refusal.written())
            if self.transport.can_write_eof():
                self.transport.write_eof()


class _Body:
    """Hears of a connection's body, and not of the head that frames it."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete
