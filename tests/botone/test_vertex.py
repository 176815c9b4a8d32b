"""send_message and complete: the bytes, what comes back, and the turns."""

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.models import Message
from vertexkit.botone.response import Response
from vertexkit.botone.vertex import Vertex
from vertexkit.errors import CallError, DialogGone, PlatformError, PlatformUnreachable
from vertexkit.settings import PlatformSettings
from vertexkit.testing.clock import VirtualClock
from vertexkit.token import Token

if TYPE_CHECKING:
    from tests.botone.conftest import Peer, SocketPeer, Then

TOKEN = Token('very/secret"token')
HOUR = 3600.0
SENT = b'{"message_id": 123, "created_at": 1669947527}'


def vertex_of(peer: "Peer", timeout: float = 20.0, connections: int = 100) -> Vertex:
    return Vertex(
        peer.wire,
        PlatformAddress(peer.url),
        VirtualClock(),
        PlatformSettings(send_timeout=timeout, connections=connections),
    )


async def send(vertex: Vertex, text: str = "Привет", *, typing: bool = True) -> Message:
    return await vertex.send_message(TOKEN, text, typing, vertex._clock.now() + HOUR)


@pytest.mark.parametrize("typing, said", [(True, b"true"), (False, b"false")])
async def test_the_bytes_of_a_message(peer: "Peer", typing: bool, said: bytes) -> None:
    """Token, text and typing, in UTF-8, typing a JSON bool, at the path of the platform."""
    peer.will(200, SENT)
    await send(vertex_of(peer), 'Платёж: 5 ₽ "в\nмесяц" 🙂', typing=typing)
    [request] = peer.requests
    assert (request.method, request.path) == ("POST", "/api/vertex/v1/dialog/send_message")
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        b'{"token":"very/secret\\"token","text":"'
        + 'Платёж: 5 ₽ \\"в\\nмесяц\\" 🙂'.encode()
        + b'","typing":'
        + said
        + b"}"
    )
    assert json.loads(request.body)["token"] == TOKEN.reveal()


@pytest.mark.parametrize("data", [b"null", b"{}", '{"город":"Пермь","n":[1,2.50]}'.encode()])
async def test_the_bytes_of_a_completion(peer: "Peer", data: bytes) -> None:
    """Token and data, the data byte for byte as they were journalled; None is null."""
    peer.will(204, b"")
    await vertex_of(peer).complete(TOKEN, data)
    [request] = peer.requests
    assert (request.method, request.path) == ("POST", "/api/vertex/v1/complete")
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"token":"very/secret\\"token","data":' + data + b"}"
    assert json.loads(request.body) == {"token": TOKEN.reveal(), "data": json.loads(data)}


async def test_a_message_comes_back_with_its_id(peer: "Peer") -> None:
    """The platform's id and moment are handed on; what else it says is no matter."""
    peer.will(200, SENT[:-1] + b', "new": [1]}')
    assert await send(vertex_of(peer)) == Message(123, 1669947527)


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
    peer: "Peer", body: bytes, message: Message
) -> None:
    """A 2xx is a sent message whatever its body is; it is not sent a second time."""
    peer.will(200, body)
    assert await send(vertex_of(peer)) == message
    assert len(peer.requests) == 1


@pytest.mark.parametrize("then", ["break", "reset"])
async def test_half_an_answer_of_200_means_sent(peer: "Peer", then: "Then") -> None:
    """The status came: the message is sent, without an id, and the block is complete."""
    peer.will(200, SENT[:-1], then)
    assert await send(vertex_of(peer)) == Message(None, None)
    await vertex_of(peer).complete(TOKEN, b"null")
    assert len(peer.requests) == 2


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_every_2xx_confirms_a_completion(peer: "Peer", status: int) -> None:
    """204 is documented; whatever else says success is one."""
    peer.will(status, b"")
    await vertex_of(peer).complete(TOKEN, b"null")


async def test_a_403_is_a_dialog_that_is_gone(peer: "Peer") -> None:
    """Both methods say so by name, with the platform's words and without the token."""
    peer.will(403, json.dumps({"error": "no dialog", "token": TOKEN.reveal()}).encode())
    vertex = vertex_of(peer)
    with pytest.raises(DialogGone, match="send_message: answered 403") as sending:
        await send(vertex)
    with pytest.raises(DialogGone, match="complete: answered 403") as completing:
        await vertex.complete(TOKEN, b"null")
    for caught in (sending, completing):
        assert "no dialog" in caught.value.body
        assert "secret" not in caught.value.body
    assert len(peer.requests) == 2


@pytest.mark.parametrize("status", [307, 400, 403, 408, 429, 500, 503])
async def test_a_completion_is_tried_once(peer: "Peer", status: int) -> None:
    """Whether and when to try again is its caller's, who has journalled the bytes."""
    peer.will(status, Retry_After="1")
    with pytest.raises(PlatformError) as caught:
        await vertex_of(peer).complete(TOKEN, b"null")
    assert caught.value.status == status
    assert len(peer.requests) == 1


async def test_no_more_requests_at_once_than_connections(sockets: "SocketPeer") -> None:
    """However many executions speak at once, the platform sees so many connections and no more."""
    vertex = vertex_of(sockets, connections=3)
    await asyncio.gather(*(vertex.complete(TOKEN, b"%d" % number) for number in range(30)))
    assert len({request.body for request in sockets.requests}) == 30
    assert sockets.connections <= 3


async def test_who_waits_too_long_for_a_turn_has_sent_nothing(peer: "Peer") -> None:
    """No connection free in time: unreachable, not a byte sent, and it takes no place."""
    vertex = vertex_of(peer, timeout=0.01, connections=1)
    await vertex.limiter.acquire(HOUR)
    with pytest.raises(PlatformUnreachable, match="no connection was free in time") as caught:
        await vertex.complete(TOKEN, b"null")
    assert caught.value.path == "/vertex/v1/complete"
    vertex.limiter.release()
    assert vertex.limiter.available == 1
    assert not peer.requests


async def test_the_wait_for_a_turn_counts(monkeypatch: pytest.MonkeyPatch, peer: "Peer") -> None:
    """The time given is for both: what the wait has taken is not there for the request."""
    given: list[float] = []
    post = peer.wire.post

    async def note(url: str, body: bytes, timeout: float) -> Response:
        given.append(timeout)
        return await post(url, body, timeout)

    monkeypatch.setattr(peer.wire, "post", note)
    vertex = vertex_of(peer, timeout=20.0, connections=1)
    await vertex.limiter.acquire(HOUR)
    waiting = asyncio.create_task(vertex.complete(TOKEN, b"null"))
    for _ in range(5):
        await asyncio.sleep(0)
    vertex.limiter.release()
    await waiting
    [left] = given
    assert 0 < left < 20.0


async def test_a_turn_that_comes_too_late_is_not_used(peer: "Peer") -> None:
    """With no time left for the request it is not begun: it would have no end."""
    vertex = vertex_of(peer, timeout=1e-9, connections=1)
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
    assert not peer.requests
    assert vertex.limiter.available == 1


@pytest.mark.parametrize("status", [200, 403, None])
async def test_every_request_gives_its_turn_back(peer: "Peer", status: int | None) -> None:
    """Answered, refused or broken: the place is free again."""
    peer.will(status, then="end" if status else "break")
    vertex = vertex_of(peer, connections=1)
    await asyncio.gather(
        *(vertex.complete(TOKEN, b"null") for _ in range(3)), return_exceptions=True
    )
    assert len(peer.requests) == 3
    assert vertex.limiter.available == 1


async def test_a_cancelled_request_gives_its_turn_back(peer: "Peer") -> None:
    """A handler that is stopped in the middle of a request keeps no place."""
    peer.will(None, then="hang")
    vertex = vertex_of(peer, connections=1)
    task = asyncio.create_task(send(vertex))
    await peer.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert vertex.limiter.available == 1


async def test_an_unlisted_instance_sends_nothing(peer: "Peer") -> None:
    """A token that chooses no allowed instance is refused before a byte or a turn is used."""
    address = PlatformAddress("http://{instance}.platform.test/api", ("demo",))
    vertex = Vertex(
        peer.wire, address, VirtualClock(), PlatformSettings(send_timeout=20.0, connections=1)
    )
    with pytest.raises(CallError, match="unknown_instance"):
        await vertex.complete(TOKEN, b"null")
    assert not peer.requests
    assert vertex.limiter.available == 1
