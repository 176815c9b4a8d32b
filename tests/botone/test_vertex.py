"""`send_message` and `complete`: their requests, their results, and the limit on requests."""

import asyncio
import json
import random

import pytest

from tests.botone.scripted_server import ScriptedServer, SocketServer, Then
from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.models import Message
from vertexkit.botone.response import Response
from vertexkit.botone.vertex import Vertex
from vertexkit.errors import CallError, DialogGone, PlatformError, PlatformUnreachable
from vertexkit.settings import PlatformSettings
from vertexkit.testing.clock import VirtualClock
from vertexkit.token import Token

TOKEN = Token('very/secret"token')
HOUR = 3600.0
SENT = b'{"message_id": 123, "created_at": 1669947527}'


def vertex_of(server: ScriptedServer, timeout: float = 20.0, connections: int = 100) -> Vertex:
    return Vertex(
        server.wire,
        PlatformAddress(server.url),
        VirtualClock(),
        PlatformSettings(send_timeout=timeout, connections=connections),
    )


async def send(vertex: Vertex, text: str = "Привет", *, typing: bool = True) -> Message:
    return await vertex.send_message(TOKEN, text, typing, vertex._clock.now() + HOUR)


@pytest.mark.parametrize("typing, encoded", [(True, b"true"), (False, b"false")])
async def test_the_bytes_of_a_message(server: ScriptedServer, typing: bool, encoded: bytes) -> None:
    """The body has token, text and typing, in UTF-8, at the platform's path."""
    server.will(200, SENT)
    await send(vertex_of(server), 'Платёж: 5 ₽ "в\nмесяц" 🙂', typing=typing)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/vertex/v1/dialog/send_message")
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        b'{"token":"very/secret\\"token","text":"'
        + 'Платёж: 5 ₽ \\"в\\nмесяц\\" 🙂'.encode()
        + b'","typing":'
        + encoded
        + b"}"
    )
    assert json.loads(request.body)["token"] == TOKEN.reveal()


@pytest.mark.parametrize("data", [b"null", b"{}", '{"город":"Пермь","n":[1,2.50]}'.encode()])
async def test_the_bytes_of_a_completion(server: ScriptedServer, data: bytes) -> None:
    """The body has the token and the data, byte for byte as journalled; None is null."""
    server.will(204, b"")
    await vertex_of(server).complete(TOKEN, data)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/vertex/v1/complete")
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"token":"very/secret\\"token","data":' + data + b"}"
    assert json.loads(request.body) == {"token": TOKEN.reveal(), "data": json.loads(data)}


async def test_a_message_comes_back_with_its_id(server: ScriptedServer) -> None:
    """The platform's id and time are returned; other fields are ignored."""
    server.will(200, SENT[:-1] + b', "new": [1]}')
    assert await send(vertex_of(server)) == Message(123, 1669947527)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "body, message",
    [
        (b"", Message(None, None)),
        (b"<html>OK</html>", Message(None, None)),
        (b"\xff\xfe", Message(None, None)),
        (b"[" * 100_000, Message(None, None)),
        (b"null", Message(None, None)),
        (b"[123]", Message(None, None)),
        (b'"123"', Message(None, None)),
        (b"{}", Message(None, None)),
        (SENT[:-1], Message(None, None)),
        (b'{"message_id": "123", "created_at": 1.5}', Message(None, None)),
        (b'{"message_id": true, "created_at": null}', Message(None, None)),
        (b'{"message_id": 7, "created_at": "now"}', Message(7, None)),
    ],
)
async def test_a_body_that_cannot_be_read_still_means_sent(
    server: ScriptedServer, body: bytes, message: Message
) -> None:
    """With a 2xx the message is sent, whatever the body is, and not sent again."""
    server.will(200, body)
    assert await send(vertex_of(server)) == message
    assert len(server.requests) == 1


@pytest.mark.parametrize("then", ["break", "reset"])
async def test_half_an_answer_of_200_means_sent(server: ScriptedServer, then: Then) -> None:
    """With the status 200 the message is sent, without an id, and the block is complete."""
    server.will(200, SENT[:-1], then)
    assert await send(vertex_of(server)) == Message(None, None)
    await vertex_of(server).complete(TOKEN, b"null")
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_every_2xx_confirms_a_completion(server: ScriptedServer, status: int) -> None:
    """204 is documented; every other 2xx confirms a completion too."""
    server.will(status, b"")
    await vertex_of(server).complete(TOKEN, b"null")


async def test_a_403_is_a_dialog_that_is_gone(server: ScriptedServer) -> None:
    """Both methods raise DialogGone with the response's body and without the token."""
    server.will(403, json.dumps({"error": "no dialog", "token": TOKEN.reveal()}).encode())
    vertex = vertex_of(server)
    with pytest.raises(DialogGone, match="send_message: answered 403") as sending:
        await send(vertex)
    with pytest.raises(DialogGone, match="complete: answered 403") as completing:
        await vertex.complete(TOKEN, b"null")
    for caught in (sending, completing):
        assert caught.value.body == '{"error": "no dialog", "token": "[secret]"}'
    assert len(server.requests) == 2


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", [307, 400, 403, 408, 429, 500, 503])
async def test_a_completion_is_not_retried(server: ScriptedServer, status: int) -> None:
    """The caller decides about retries, because it has journalled the bytes."""
    server.will(status, Retry_After="1")
    with pytest.raises(PlatformError) as caught:
        await vertex_of(server).complete(TOKEN, b"null")
    assert caught.value.status == status
    assert len(server.requests) == 1


async def test_no_more_requests_at_once_than_connections(sockets: SocketServer) -> None:
    """The platform sees at most the configured number of connections."""
    vertex = vertex_of(sockets, connections=3)
    await asyncio.gather(*(vertex.complete(TOKEN, b"%d" % number) for number in range(30)))
    assert len({request.body for request in sockets.requests}) == 30
    assert sockets.connections <= 3


async def test_a_request_without_a_free_connection_sent_nothing(server: ScriptedServer) -> None:
    """If no connection is free in time, nothing is sent and no slot is used."""
    vertex = vertex_of(server, timeout=0.01, connections=1)
    await vertex.limiter.acquire(HOUR)
    with pytest.raises(PlatformUnreachable, match="no connection was free in time") as caught:
        await vertex.complete(TOKEN, b"null")
    assert caught.value.path == "/vertex/v1/complete"
    vertex.limiter.release()
    assert vertex.limiter.available == 1
    assert not server.requests


async def test_the_wait_for_a_connection_counts(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer
) -> None:
    """The timeout includes the wait for a free connection."""
    timeouts: list[float] = []
    post = server.wire.post

    async def post_and_record(url: str, body: bytes, timeout: float) -> Response:
        timeouts.append(timeout)
        return await post(url, body, timeout)

    monkeypatch.setattr(server.wire, "post", post_and_record)
    vertex = vertex_of(server, timeout=20.0, connections=1)
    await vertex.limiter.acquire(HOUR)
    waiting = asyncio.create_task(vertex.complete(TOKEN, b"null"))
    for _ in range(5):
        await asyncio.sleep(0)
    vertex.limiter.release()
    await waiting
    [timeout] = timeouts
    assert 0 < timeout < 20.0


async def test_a_slot_that_is_acquired_too_late_is_not_used(server: ScriptedServer) -> None:
    """If the wait took the whole timeout, the request is not started."""
    vertex = vertex_of(server, timeout=1e-9, connections=1)
    await vertex.limiter.acquire(HOUR)
    watched = asyncio.create_task(vertex.limiter.acquire(HOUR))
    late = asyncio.create_task(vertex.complete(TOKEN, b"null"))
    for _ in range(5):
        await asyncio.sleep(0)
    vertex.limiter.release()
    await watched
    vertex.limiter.release()
    with pytest.raises(PlatformUnreachable, match="no connection was free in time"):
        await late
    assert not server.requests
    assert vertex.limiter.available == 1


@pytest.mark.parametrize("status", [200, 403, None])
async def test_every_request_releases_its_slot(server: ScriptedServer, status: int | None) -> None:
    """The slot is released after a response, an error status and a lost connection."""
    server.will(status, then="end" if status else "break")
    vertex = vertex_of(server, connections=1)
    await asyncio.gather(
        *(vertex.complete(TOKEN, b"null") for _ in range(3)), return_exceptions=True
    )
    assert len(server.requests) == 3
    assert vertex.limiter.available == 1


async def test_a_cancelled_request_releases_its_slot(server: ScriptedServer) -> None:
    """A handler that is cancelled during a request keeps no slot."""
    server.will(None, then="hang")
    vertex = vertex_of(server, connections=1)
    task = asyncio.create_task(send(vertex))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert vertex.limiter.available == 1


@pytest.mark.unmeasured
async def test_a_thousand_cancelled_requests_leave_every_slot_usable(
    server: ScriptedServer,
) -> None:
    """Cancelled while they wait for a slot, connect, or wait for the response."""
    server.will(None, then="hang")
    connections, moments = 10, random.Random(47)
    vertex = vertex_of(server, connections=connections)
    for _ in range(50):
        tasks = [asyncio.create_task(send(vertex)) for _ in range(2 * connections)]
        for _ in range(moments.randrange(40)):
            await asyncio.sleep(0)
        for task in moments.sample(tasks, len(tasks)):
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
    assert vertex.limiter.available == connections
    server.forget()
    server.will(200)
    server.crowd = asyncio.Barrier(connections)  # all at once
    server.crowd_body = b"at last"  # a cancelled request may still arrive
    await asyncio.gather(*(send(vertex, "at last") for _ in range(connections)))


async def test_an_unlisted_instance_sends_nothing(server: ScriptedServer) -> None:
    """A token without an allowed instance is rejected before a slot is acquired."""
    address = PlatformAddress("http://{instance}.platform.test/api", ("demo",))
    vertex = Vertex(
        server.wire, address, VirtualClock(), PlatformSettings(send_timeout=20.0, connections=1)
    )
    with pytest.raises(CallError, match="unknown_instance"):
        await vertex.complete(TOKEN, b"null")
    assert not server.requests
    assert vertex.limiter.available == 1
