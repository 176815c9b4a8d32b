"""Whatever bytes the platform sends, and however they are cut: a response, or a reason for none."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import MANY
from vertexkit.botone.response import Response
from vertexkit.botone.wire import MAX_RESPONSE_BYTES
from vertexkit.botone.wire_connection import WireConnection

pytestmark = pytest.mark.unmeasured

STATUSES = st.sampled_from(
    [b"100", b"101", b"103", b"199", b"200", b"204", b"304", b"429", b"500", b"999", b"20", b"x"]
)
VERSIONS = st.sampled_from(
    [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b"ICY"]
)
FIELDS = st.sampled_from([
    b"Content-Length: 2", b"Content-Length: 0", b"Content-Length: 99", b"Content-Length: -1", b"content-length : 2",
    b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade\r\nUpgrade: h2c", b"Keep-Alive: timeout=0",
    b"Keep-Alive: timeout=999999, max=1", b"keep-alive: timeout=x", b"Retry-After: 7", b"RETRY-AFTER: \xff", b"Retry-After:",
    b"Set-Cookie: a=b", b" folded", b"X: \x00", b"no colon", b": no name", b"Trailer: Retry-After",
])  # fmt: skip
BODIES = st.sampled_from([
    b"", b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"2;a=b\r\n{}\r\n0\r\nRetry-After: 9\r\n\r\n", b"2\r\n{}", b"zz\r\n", b"\r\n", b"-1\r\n{}",
    b"FFFFFFFFFFFFFFFFF\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"x" * 3000,
])  # fmt: skip
NEWLINES = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return bytes that look like an HTTP response, valid or not."""
    newline = draw(NEWLINES)
    lines = [
        draw(VERSIONS) + b" " + draw(STATUSES) + draw(st.sampled_from([b" OK", b"", b" \xff"]))
    ]
    lines += draw(st.lists(FIELDS, max_size=4))
    return newline.join([*lines, b"", b""]) + draw(BODIES)


STREAMS = st.lists(responses() | st.binary(max_size=30), min_size=1, max_size=3).map(b"".join)


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Pool:
    """Counts the reports of a connection."""

    def __init__(self) -> None:
        self.idle = self.closed = 0

    def connection_idle(self, _: WireConnection) -> None:
        self.idle += 1

    def connection_closed(self, _: WireConnection) -> None:
        self.closed += 1


def exchange(pieces: list[bytes]) -> tuple[Response | str, bool]:
    """Send a request and receive these bytes; return its result, and whether it is kept."""
    pool, transport = Pool(), MemoryTransport()
    connection = WireConnection(pool)
    connection.connection_made(transport)
    waiter = connection.send(b"request", 1e12)
    for piece in pieces:
        if not transport.aborted:
            connection.data_received(piece)
    kept = not transport.aborted
    assert (pool.idle, pool.closed) in {(0, 0), (1, 0), (0, 1), (1, 1)}
    assert transport.aborted == (pool.closed == 1)
    if not waiter.done():  # the response is not complete, and more may arrive
        assert kept
        assert not pool.idle
        connection.eof_received()
        kept = False
    connection.connection_lost(None)
    assert pool.closed == 1
    return waiter.result(), kept


@MANY
@given(STREAMS, st.lists(st.integers(0, 200), max_size=6))
async def test_the_result_does_not_depend_on_the_cuts(stream: bytes, cuts: list[int]) -> None:
    """Whole, in some pieces, or byte by byte: the same response, or the same reason for none."""
    whole, _ = exchange([stream])
    ends = sorted({cut for cut in cuts if cut < len(stream)} | {len(stream)})
    pieces = [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert exchange([piece for piece in pieces if piece])[0] == whole
    assert exchange([stream[at : at + 1] for at in range(len(stream))])[0] == whole
    if isinstance(whole, Response):
        assert whole.status == 101 or 200 <= whole.status <= 999
        assert len(whole.body) <= MAX_RESPONSE_BYTES
    else:
        assert whole in {"the connection was lost", "the response is not valid HTTP"}


@MANY
@given(st.binary(max_size=300), st.integers(0, 10_000))
async def test_a_response_that_breaks_off_keeps_its_status_or_is_none(
    body: bytes, cut: int
) -> None:
    """A part of a response is its status with a part of the body, or no response; never another."""
    head = b"HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
    stream = head + body
    part = stream[: cut % (len(stream) + 1)]
    result, kept = exchange([part])
    if len(part) < len(head):
        assert result == "the connection was lost"
    else:
        assert result == Response(429, part[len(head) :], "7")
    assert kept == (part == stream)


@MANY
@given(STREAMS, st.binary(min_size=1, max_size=30))
async def test_a_connection_with_a_rest_is_not_kept(stream: bytes, rest: bytes) -> None:
    """Bytes that follow a complete response, other than empty lines, close its connection."""
    _, kept = exchange([b"HTTP/1.1 204 No Content\r\n\r\n" + b"x" + rest + stream])
    assert not kept
