"""The wire over real sockets: connections, and responses that are not valid HTTP."""

import asyncio
import gzip
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import aiohttp
import pytest
import uvicorn

from tests.botone.scripted_server import SocketServer, over_sockets
from tests.loop_time import skip
from tests.reserved_port import reserved_port
from tests.waiting import occurs
from vertexkit.botone.aiohttp_wire import AiohttpWire
from vertexkit.botone.response import Response
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.botone.wire import KEEP_ALIVE_SECONDS, MAX_RESPONSE_BYTES, Wire
from vertexkit.errors import PlatformError, PlatformUnreachable, SendOutcomeUnknown

PATIENT, SHORT = 60.0, 0.05
LOOPBACK = "127.0.0.1"
HEAD = b"HTTP/1.1 200 OK\r\n"
GARBAGE = {
    "another protocol": b"220 mail.example ESMTP\r\n\r\n",
    "half a status line": b"HTTP/1.1 2",
    "a status line alone": b"HTTP/1.1 200 OK\r\n",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "an invalid status": b"HTTP/1.1 two OK\r\n\r\n",
    "zeros": bytes(4096),
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "an invalid length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "only an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
}
BAD_BODIES = {
    "an incomplete chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "no chunk at all": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "invalid gzip": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
    "an unknown charset": HEAD + b"Content-Type: x; charset=nil\r\nContent-Length: 2\r\n\r\nab",
    "an invalid cookie": HEAD + b"Set-Cookie: \xff=;;=\r\nContent-Length: 2\r\n\r\nab",
}


BAD_CHUNKS = {
    "an invalid size of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "a chunk without its end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n",
}


async def fail(wire: Wire, url: str) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await wire.post(f"{url}/say", b'{"token":"very-secret-token"}', PATIENT)
    error = caught.value
    assert "very-secret-token" not in f"{error} {error!r} {vars(error)}"
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


async def has_left(sockets: SocketServer) -> None:
    await occurs(sockets.left, "the client has closed a connection")


@contextmanager
def full_backlog() -> Iterator[str]:
    """Return the URL of a port that neither accepts a connection nor refuses one."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((LOOPBACK, 0))
        listening.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"


@pytest.mark.parametrize("bytes_sent", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_an_unknown_outcome(sockets: SocketServer, bytes_sent: bytes) -> None:
    """After bytes that are not a complete HTTP head, the request may have been processed."""
    sockets.will(raw=bytes_sent)
    assert type(await fail(sockets.wire, sockets.url)) is SendOutcomeUnknown
    assert len(sockets.requests) == 1


@pytest.mark.parametrize("bytes_sent", BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_body_keeps_its_status(sockets: SocketServer, bytes_sent: bytes) -> None:
    """A response with a valid head keeps its status, even if its body is invalid."""
    sockets.will(raw=bytes_sent)
    answer = await sockets.wire.post(sockets.url, b"{}", PATIENT)
    assert answer.status == 200
    assert len(sockets.requests) == 1


@pytest.mark.parametrize("bytes_sent", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
async def test_a_bad_chunk_with_the_head_is_a_status_or_an_unknown_outcome(
    sockets: SocketServer, bytes_sent: bytes
) -> None:
    """aiohttp parses what arrives together as one, and so reports no status; `SocketWire` does."""
    sockets.will(raw=bytes_sent)
    if isinstance(sockets.wire, SocketWire):
        assert (await sockets.wire.post(sockets.url, b"{}", PATIENT)).status == 200
    else:
        assert type(await fail(sockets.wire, sockets.url)) is SendOutcomeUnknown
    assert len(sockets.requests) == 1


async def test_an_answer_without_a_length_is_read_to_its_end(sockets: SocketServer) -> None:
    """A body that ends with the connection is complete."""
    sockets.will(raw=HEAD + b'Connection: close\r\n\r\n{"message_id": 1}')
    assert await sockets.wire.post(sockets.url, b"{}", PATIENT) == Response(
        200, b'{"message_id": 1}'
    )


async def test_an_answer_without_end_is_cut(sockets: SocketServer) -> None:
    """Reading of a chunked body stops at the limit, and the connection is closed."""
    chunk = b"%x\r\n%b\r\n" % (MAX_RESPONSE_BYTES + 1, b"x" * (MAX_RESPONSE_BYTES + 1))
    sockets.will(200, then="hang", raw=HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    answer = await sockets.wire.post(sockets.url, b"{}", PATIENT)
    assert answer == Response(200, b"x" * MAX_RESPONSE_BYTES)
    await has_left(sockets)


@pytest.mark.parametrize("head", [b"", HEAD + b"Content-Length: 100000\r\n\r\n"])
async def test_an_answer_by_drip_ends_at_the_timeout(sockets: SocketServer, head: bytes) -> None:
    """Each byte comes soon after the last one; the timeout is for all of them."""
    left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        for byte in HEAD + b"X: " + b"x" * 100_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
            skip(PATIENT / 20)
            if writer.is_closing():
                break
        left.set()

    async with await asyncio.start_server(drip, LOOPBACK, 0) as listener:
        url = f"http://{LOOPBACK}:{listener.sockets[0].getsockname()[1]}/api"
        if head:
            assert (await sockets.wire.post(url, b"{}", PATIENT)).status == 200
        else:
            assert type(await fail(sockets.wire, url)) is SendOutcomeUnknown
        await occurs(left, "the client has closed the connection")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(sockets: "SocketServer", status: int) -> None:
    """The token is sent to no other server than the platform's."""
    arrived: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(listen, LOOPBACK, 0) as other:
        port = other.sockets[0].getsockname()[1]
        sockets.will(status, location=f"http://{LOOPBACK}:{port}/say")
        answer = await sockets.wire.post(f"{sockets.url}/say", b'{"token":"t"}', PATIENT)
    assert answer.status == status
    assert (len(sockets.requests), arrived) == (1, [])


async def test_a_refused_connection_sent_nothing(sockets: SocketServer) -> None:
    """Without a listener not a byte was sent, so the request may be sent again."""
    with reserved_port() as port:
        error = await fail(sockets.wire, f"http://{LOOPBACK}:{port}/api")
    assert type(error) is PlatformUnreachable
    assert "no connection: 127.0.0.1:" in str(error)
    assert str(error).endswith("cannot be reached: Connection refused")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "bad host", "." * 3, "x" * 300])
async def test_an_unknown_host_sent_nothing(sockets: SocketServer, host: str) -> None:
    """A host name that cannot be resolved and an invalid one are unreachable."""
    assert type(await fail(sockets.wire, f"http://{host}")) is PlatformUnreachable


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://[::1", "ftp://a.b", "/say"])
async def test_an_invalid_url_sent_nothing(sockets: SocketServer, url: str) -> None:
    """An invalid URL is unreachable and raises no other error."""
    assert type(await fail(sockets.wire, url)) is PlatformUnreachable


async def test_a_connection_that_is_not_made_in_time_sent_nothing(
    sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that takes too long is unreachable: the outcome is not unknown."""
    for module in ("aiohttp_wire", "socket_wire"):
        monkeypatch.setattr(f"vertexkit.botone.{module}.CONNECT_TIMEOUT_SECONDS", SHORT)
    with full_backlog() as url:
        assert type(await fail(sockets.wire, url)) is PlatformUnreachable


@pytest.mark.parametrize("timeout", [0.01, 4.0, 60.0])
async def test_connecting_ends_before_the_request_does(
    monkeypatch: pytest.MonkeyPatch, timeout: float
) -> None:
    """aiohttp's limit for connecting is below that of the request: what ended it is known."""
    limits: list[aiohttp.ClientTimeout] = []
    make = aiohttp.ClientTimeout

    def record(**seconds: float) -> aiohttp.ClientTimeout:
        limits.append(make(**seconds))
        return make(total=PATIENT)

    monkeypatch.setattr("vertexkit.botone.aiohttp_wire.aiohttp.ClientTimeout", record)
    async with over_sockets(AiohttpWire()) as sockets:
        await sockets.wire.post(sockets.url, b"{}", timeout)
    [limit] = limits
    assert limit.total == timeout
    assert limit.connect is not None
    assert 0 < limit.connect < timeout


async def test_a_name_that_is_not_found_in_time_sent_nothing(
    sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that does not respond in time is unreachable: nothing was sent."""
    never = asyncio.Event()

    async def look_up(*_: object, **__: object) -> None:
        await never.wait()

    for module in ("aiohttp_wire", "socket_wire"):
        monkeypatch.setattr(f"vertexkit.botone.{module}.CONNECT_TIMEOUT_SECONDS", SHORT)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    error = await fail(sockets.wire, "http://slow.example")
    never.set()
    assert type(error) is PlatformUnreachable


async def test_a_platform_without_tls_sent_nothing(sockets: SocketServer) -> None:
    """If the TLS handshake fails, the request was not sent."""
    sockets.deaf = True
    error = await fail(sockets.wire, sockets.url.replace("http:", "https:"))
    assert type(error) is PlatformUnreachable
    assert not sockets.requests


async def test_a_reset_before_the_request_is_read_is_unknown(sockets: SocketServer) -> None:
    """After connecting it is unknown how much of a request was read."""
    sockets.deaf = True
    assert type(await fail(sockets.wire, sockets.url)) is SendOutcomeUnknown
    assert sockets.connections == 1


async def test_connections_are_used_again(sockets: SocketServer) -> None:
    """Consecutive requests use one connection."""
    for _ in range(5):
        await sockets.wire.post(sockets.url, b"{}", PATIENT)
    assert (len(sockets.requests), sockets.connections) == (5, 1)


async def test_a_used_connection_that_breaks_is_not_tried_again(sockets: SocketServer) -> None:
    """A request on a reused connection that breaks is not repeated."""
    sockets.will(200)
    sockets.will(None, then="reset")
    await sockets.wire.post(sockets.url, b"{}", PATIENT)
    assert type(await fail(sockets.wire, sockets.url)) is SendOutcomeUnknown
    assert (len(sockets.requests), sockets.connections) == (2, 1)


async def test_a_late_response_is_not_read_by_the_next_request(sockets: SocketServer) -> None:
    """After a timeout the connection is closed and the next request uses another one."""
    sockets.will(None, then="hang")
    sockets.will(200, b"mine")
    failing = asyncio.create_task(fail(sockets.wire, sockets.url))
    await occurs(sockets.arrived, "the request has arrived")
    skip(PATIENT + 2)
    assert type(await failing) is SendOutcomeUnknown
    await has_left(sockets)
    assert (await sockets.wire.post(sockets.url, b"{}", PATIENT)).body == b"mine"
    assert sockets.connections == 2


async def test_a_cancelled_request_closes_its_connection(sockets: SocketServer) -> None:
    """The platform sees the end of the connection."""
    sockets.will(None, then="hang")
    task = asyncio.create_task(sockets.wire.post(sockets.url, b"{}", PATIENT))
    await occurs(sockets.arrived, "the request has arrived")
    task.cancel()
    await has_left(sockets)


async def test_closing_closes_the_connections(sockets: SocketServer) -> None:
    """After `close` the platform has no connection from the wire."""
    await sockets.wire.post(sockets.url, b"{}", PATIENT)
    await sockets.wire.close()
    await has_left(sockets)


async def test_cookies_are_not_kept(sockets: SocketServer) -> None:
    """A cookie of one dialog's response is not sent with another dialog's request."""
    sockets.will(200, Set_Cookie="dialog=1; Path=/")
    for _ in range(2):
        await sockets.wire.post(sockets.url.replace(LOOPBACK, "localhost"), b"{}", PATIENT)
    assert "cookie" not in sockets.requests[1].headers


async def test_a_compressed_response_is_not_decompressed(sockets: SocketServer) -> None:
    """The wire requests no compression; a small body must not become a large one."""
    packed = gzip.compress(b"x" * 10 * MAX_RESPONSE_BYTES)
    sockets.will(200, packed, Content_Encoding="gzip")
    assert (await sockets.wire.post(sockets.url, b"{}", PATIENT)).body == packed


async def test_no_proxy_is_found_in_the_environment(
    sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens are sent to the platform's address and not to the proxy of `HTTP_PROXY`."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
    assert (await sockets.wire.post(sockets.url, b"{}", PATIENT)).status == 200


def test_an_idle_connection_goes_before_its_server_closes_it() -> None:
    """Idle connections are closed before common servers close them."""
    assert uvicorn.Config("x:y").timeout_keep_alive > KEEP_ALIVE_SECONDS
