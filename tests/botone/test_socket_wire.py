"""`SocketWire` over real sockets: its connections, its deadlines and TLS, on both event loops."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from time import monotonic

import pytest

from tests.botone.scripted_server import HOST, SocketServer, over_sockets
from tests.waiting import until
from vertexkit.botone.response import Response
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.botone.wire_connection import (
    MAX_HEAD_BYTES,
    MAX_RECEIVED_BYTES,
    WireConnection,
)
from vertexkit.botone.wire_pool import WirePool
from vertexkit.errors import PlatformError, PlatformUnreachable, SendOutcomeUnknown

PATIENT, SHORT = 60.0, 0.05
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.unmeasured),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on the loop of asyncio and on the one that `vertexkit run` uses."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def platform() -> AsyncIterator[SocketServer]:
    async with over_sockets(SocketWire()) as server:
        yield server


async def post(platform: SocketServer, timeout: float = PATIENT) -> Response:
    return await platform.wire.post(f"{platform.url}/say", b'{"token":"t"}', timeout)


async def fail(platform: SocketServer, timeout: float = PATIENT) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await post(platform, timeout)
    return caught.value


class BlockingServer:
    """A server in a thread: it acts while the client's event loop does not run.

    Args:
        act: what is done with each connection in turn.
    """

    def __init__(self, *act: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}/api"
        self.acted = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=act)
        self._thread.start()

    def _serve(self, *act: Callable[[socket.socket], None]) -> None:
        for one in act:
            connection, _ = self._listener.accept()
            with connection:
                one(connection)
        self._listener.close()

    def join(self) -> None:
        self._thread.join(PATIENT)
        assert not self._thread.is_alive()


def receive_request(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(b"{}") and (more := connection.recv(65_536)):
        received += more


def answer_once(connection: socket.socket) -> None:
    receive_request(connection)
    connection.sendall(OK)


@pytest.mark.parametrize("last", ["end", "reset", "garbage"])
async def test_a_stale_connection_is_noticed_before_the_request_is_sent(last: str) -> None:
    """The server ended an idle connection while the loop was blocked: another one is opened."""
    ended = threading.Event()

    def end(connection: socket.socket) -> None:
        answer_once(connection)
        if last == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if last == "garbage":
            connection.sendall(b"HTTP/1.1 408 Too slow\r\n\r\n")
            ended.set()
            receive_end(connection)
        else:
            connection.close()
            ended.set()

    server = BlockingServer(end, answer_once)
    wire = SocketWire()
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    ended.wait(PATIENT)  # blocks the event loop
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    await wire.close()
    await asyncio.to_thread(server.join)


def receive_end(connection: socket.socket) -> None:
    with suppress(ConnectionError):
        while connection.recv(65_536):
            pass


async def test_a_connection_that_the_server_closes_at_once_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whenever the event loop notices it: the request fails at once, and the pool keeps nothing."""
    closed = threading.Event()

    def close(connection: socket.socket) -> None:
        connection.close()
        closed.set()

    async def connect(*_: object, **__: object) -> socket.socket:
        connected = socket.create_connection(address)
        closed.wait(PATIENT)  # blocks the event loop
        connected.setblocking(False)
        return connected

    monkeypatch.setattr("vertexkit.botone.socket_wire.start_connection", connect)
    server = BlockingServer(close)
    address = HOST, int(server.url.rpartition(":")[2].partition("/")[0])
    wire = SocketWire()
    with pytest.raises(PlatformError, match=r"connection was lost|Connection reset by peer"):
        await wire.post(server.url, b"{}", PATIENT)
    assert not wire._pool._connections
    await asyncio.to_thread(server.join)
    await wire.close()


async def test_a_half_closed_connection_before_the_response_is_an_unknown_outcome() -> None:
    """A server that can still read but not write will never respond."""

    def act(connection: socket.socket) -> None:
        receive_request(connection)
        connection.shutdown(socket.SHUT_WR)
        receive_end(connection)

    server = BlockingServer(act)
    wire = SocketWire()
    with pytest.raises(SendOutcomeUnknown, match="the connection was lost"):
        await wire.post(server.url, b"{}", PATIENT)
    await asyncio.to_thread(server.join)
    await wire.close()


async def test_a_connection_that_is_half_closed_after_the_response_is_not_used_again() -> None:
    """The response counts; the next request uses another connection."""

    ended = threading.Event()

    def act(connection: socket.socket) -> None:
        answer_once(connection)
        connection.shutdown(socket.SHUT_WR)
        ended.set()
        receive_end(connection)

    server = BlockingServer(act, answer_once)
    wire = SocketWire()
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    ended.wait(PATIENT)  # blocks the event loop
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    await asyncio.to_thread(server.join)
    await wire.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=0\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n",
    ],
    ids=["HTTP/1.0", "close", "Keep-Alive", "upgrade"],
)
async def test_a_connection_that_the_server_does_not_keep_is_not_used_again(
    platform: SocketServer, head: bytes
) -> None:
    """HTTP/1.0, `Connection: close`, an expired `Keep-Alive` and an upgrade end a connection."""
    platform.will(then="hang", raw=head + b"Content-Length: 2\r\n\r\n{}")
    platform.will(200, b"next")
    assert (await post(platform)).status in {101, 200}
    assert (await post(platform)).body == b"next"
    assert platform.connections == 2


async def test_an_idle_connection_is_closed_before_its_server_closes_it(
    platform: SocketServer,
) -> None:
    """`Keep-Alive: timeout=1` closes it here after 0.8 seconds, without another request."""
    platform.will(200, Keep_Alive="timeout=1")
    started = monotonic()
    await post(platform)
    await platform.left.wait()
    assert 0.7 < monotonic() - started < PATIENT / 2


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints\r\nRetry-After: 9"])
async def test_interim_responses_are_skipped(platform: SocketServer, interim: bytes) -> None:
    """The response is the first one whose status is not 1xx; headers of the others do not count."""
    start = b"HTTP/1.1 " + interim + b"\r\n\r\n"
    platform.will(raw=start * 3 + OK)
    assert await post(platform) == Response(200, b"{}", None)


@pytest.mark.parametrize(
    "extra", [b"garbage", OK, b"HTTP/1.1 2"], ids=["garbage", "a response", "a part of one"]
)
async def test_bytes_after_a_response_end_its_connection(
    platform: SocketServer, extra: bytes
) -> None:
    """They are not read as the response to the next request, which uses another connection."""
    platform.will(then="hang", raw=OK.replace(b"{}", b"[]") + extra)
    platform.will(200, b"next")
    assert (await post(platform)).body == b"[]"
    assert (await post(platform)).body == b"next"
    assert platform.connections == 2


async def test_a_response_to_no_request_ends_its_connection() -> None:
    """What arrives on an idle connection is not the response to a later request."""
    sent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def act(connection: socket.socket) -> None:
        answer_once(connection)
        connection.sendall(OK.replace(b"200", b"500"))
        receive_end(connection)
        loop.call_soon_threadsafe(sent.set)

    server = BlockingServer(act, answer_once)
    wire = SocketWire()
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    await sent.wait()
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    await asyncio.to_thread(server.join)
    await wire.close()


async def test_an_early_response_ends_its_connection() -> None:
    """The rest of a body that the server did not read must not reach it as the next request."""
    body = b"x" * 20_000_000

    def act(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(OK.replace(b"200", b"413"))
        connection.shutdown(socket.SHUT_WR)
        receive_end(connection)

    server = BlockingServer(act, answer_once)
    wire = SocketWire()
    assert (await wire.post(server.url, body, PATIENT)).status == 413
    assert (await wire.post(server.url, b"{}", PATIENT)).status == 200
    await asyncio.to_thread(server.join)
    await wire.close()


@pytest.mark.parametrize(
    "head, status",
    [
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD_BYTES + 1), None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_HEAD_BYTES // 25 + 1), None),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1;%b\r\na\r\n"
            % (b"x" * MAX_HEAD_BYTES)
            * (MAX_RECEIVED_BYTES // MAX_HEAD_BYTES + 9),
            200,
        ),
    ],
    ids=["headers", "interim responses", "a body in tiny chunks"],
)
async def test_an_endless_response_is_ended(
    platform: SocketServer, head: bytes, status: int | None
) -> None:
    """Headers and the framing of a body have limits too; the connection is closed."""
    platform.will(None, then="hang", raw=head)
    if status is None:
        error = await fail(platform)
        assert type(error) is SendOutcomeUnknown
        assert str(error).endswith("the response is too long")
    else:
        assert (await post(platform)).status == status
    await platform.left.wait()


async def test_each_request_has_its_own_deadline(platform: SocketServer) -> None:
    """A short deadline is kept although a long one was set before it, and the other way round."""
    for _ in range(3):
        platform.will(200)
    platform.will(None, then="hang")
    platform.crowd = asyncio.Barrier(3)
    await asyncio.gather(*(post(platform) for _ in range(3)))  # no later request has to connect
    platform.crowd = None
    long = asyncio.create_task(post(platform, PATIENT))
    await until(lambda: len(platform.requests) == 4, "the long request has arrived")
    started = monotonic()
    for _ in range(2):
        assert type(await fail(platform, SHORT)) is SendOutcomeUnknown
    assert SHORT <= monotonic() - started < PATIENT / 2
    assert not long.done()
    long.cancel()


async def test_a_request_that_is_cancelled_with_its_response_leaves_the_next_one_alone(
    platform: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that has been passed on is not closed by the request that used it before."""
    await post(platform)
    first, second = (asyncio.create_task(post(platform)) for _ in range(2))
    passed_on = WirePool.connection_idle

    def cancel_first(pool: WirePool, connection: WireConnection) -> None:
        passed_on(pool, connection)
        first.cancel()  # it has the response, and has not run since

    monkeypatch.setattr(WirePool, "connection_idle", cancel_first)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).status == 200
    monkeypatch.undo()
    assert (await post(platform)).status == 200
    assert platform.connections == 2


async def test_many_cancelled_requests_leave_no_connection(platform: SocketServer) -> None:
    """Whenever a request is cancelled, its connection is closed or free for another request."""
    for turns in range(12):
        task = asyncio.create_task(post(platform))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert (await post(platform)).status == 200
    pool = platform.wire._pool  # pyrefly: ignore[missing-attribute]
    assert len(pool._connections) <= 2
    assert all(connection._waiter is None for connection in pool._connections)


async def test_requests_after_closing_send_nothing(platform: SocketServer) -> None:
    """A wire that is closed opens no connection."""
    await platform.wire.close()
    error = await fail(platform)
    assert type(error) is PlatformUnreachable
    assert str(error).endswith("cannot be reached: the service is stopping")


async def test_closing_ends_the_requests_in_progress(platform: SocketServer) -> None:
    """Their outcome is unknown."""
    platform.will(None, then="hang")
    task = asyncio.create_task(fail(platform))
    await platform.arrived.wait()
    await platform.wire.close()
    assert type(await task) is SendOutcomeUnknown


async def test_a_name_is_resolved_once_for_connections_that_are_opened_together(
    platform: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 requests at once ask the name server once."""
    loop = asyncio.get_running_loop()
    resolve, asked = loop.getaddrinfo, []

    async def count(*args: object, **options: object) -> object:
        asked.append(args[0])
        return await resolve(*args, **options)  # pyrefly: ignore[bad-argument-type]

    monkeypatch.setattr(loop, "getaddrinfo", count)
    platform.crowd = asyncio.Barrier(100)
    url = platform.url.replace(HOST, "localhost")
    await asyncio.gather(*(platform.wire.post(url, b"{}", PATIENT) for _ in range(100)))
    assert asked.count("localhost") == 1  # uvloop passes addresses through it too
    assert platform.connections == 100
