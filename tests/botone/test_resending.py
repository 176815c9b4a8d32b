"""When a message is sent again: only where that cannot say it twice."""

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.models import Message
from vertexkit.botone.retries import MAX_BACKOFF_SECONDS
from vertexkit.botone.vertex import Vertex
from vertexkit.errors import Fate, PlatformError, PlatformUnreachable, RateLimited, ServerError
from vertexkit.settings import PlatformSettings
from vertexkit.testing.clock import VirtualClock
from vertexkit.token import Token

if TYPE_CHECKING:
    from tests.botone.conftest import Peer, SocketPeer, Then

TOKEN = Token("very-secret-token")
HOUR = 3600.0
SENT = b'{"message_id": 123, "created_at": 1669947527}'


class Sender:
    """Sends messages, and notes the pauses."""

    def __init__(self, peer: "Peer", timeout: float = 20.0) -> None:
        self.clock = VirtualClock()
        self.paused: list[tuple[PlatformError, float]] = []
        self._vertex = Vertex(
            peer.wire, PlatformAddress(peer.url), self.clock, PlatformSettings(send_timeout=timeout)
        )

    async def send(self, seconds: float = HOUR) -> Message:
        return await self._vertex.send_message(
            TOKEN, "Привет", True, self.clock.now() + seconds, self._note
        )

    def _note(self, error: PlatformError, pause: float) -> None:
        self.paused.append((error, pause))


@pytest.mark.parametrize("status, after", [(429, 7), (408, 7), (503, 7)])
async def test_a_refusal_is_tried_again_after_its_pause(
    peer: "Peer", status: int, after: int
) -> None:
    """Who asks to come back later is asked again, not sooner, with the very same bytes."""
    for _ in range(2):
        peer.will(status, Retry_After=str(after))
    peer.will(200, SENT)
    sender = Sender(peer)
    began = sender.clock.now()
    assert await sender.send() == Message(123, 1669947527)
    assert sender.clock.now() - began >= 2 * after
    assert len(peer.requests) == 3
    assert len({request.body for request in peer.requests}) == 1
    assert [error.status for error, _ in sender.paused] == [status] * 2
    assert all(after <= pause <= after * 1.1 for _, pause in sender.paused)


async def test_a_refusal_without_a_pause_is_given_growing_ones(peer: "Peer") -> None:
    """A bare 429 is tried again too, each time later than the time before last."""
    for _ in range(6):
        peer.will(429)
    peer.will(200, SENT)
    sender = Sender(peer)
    await sender.send()
    pauses = [pause for _, pause in sender.paused]
    assert len(pauses) == 6
    assert all(later > earlier for earlier, later in zip(pauses, pauses[2:], strict=False))


async def test_an_absurd_pause_is_cut(peer: "Peer") -> None:
    """A platform that asks for a year is asked again after the longest pause."""
    peer.will(429, Retry_After="31536000")
    peer.will(200, SENT)
    sender = Sender(peer)
    await sender.send()
    [(_, pause)] = sender.paused
    assert MAX_BACKOFF_SECONDS <= pause <= MAX_BACKOFF_SECONDS * 1.1


@pytest.mark.parametrize("status", [307, 400, 401, 403, 404, 413, 422, 500, 502, 503, 504])
async def test_what_is_final_or_unknown_is_not_tried_again(peer: "Peer", status: int) -> None:
    """A no for good would be a no again; a 5xx may have sent the message already."""
    peer.will(status)
    sender = Sender(peer)
    with pytest.raises(PlatformError) as caught:
        await sender.send()
    assert caught.value.status == status
    assert (len(peer.requests), sender.paused) == (1, [])


@pytest.mark.parametrize("then", ["break", "reset", "hang"])
async def test_no_answer_is_not_tried_again(peer: "Peer", then: "Then") -> None:
    """A message that may have been sent is sent no second time."""
    peer.will(None, then=then)
    sender = Sender(peer, 0.05 if then == "hang" else 20.0)
    with pytest.raises(PlatformError) as caught:
        await sender.send()
    assert caught.value.fate is Fate.UNKNOWN
    assert (len(peer.requests), sender.paused) == (1, [])


async def test_a_refusal_before_an_unknown_outcome_ends_with_the_latter(peer: "Peer") -> None:
    """Of several tries the last one's fate is the message's."""
    peer.will(429, Retry_After="1")
    peer.will(500)
    with pytest.raises(ServerError):
        await Sender(peer).send()
    assert len(peer.requests) == 2


async def test_no_try_begins_after_its_time(peer: "Peer") -> None:
    """A pause that would end too late is not made: the last refusal is raised at once."""
    peer.will(429, Retry_After="30")
    sender = Sender(peer)
    began = sender.clock.now()
    with pytest.raises(RateLimited):
        await sender.send(45)
    assert 30 <= sender.clock.now() - began < 45
    assert (len(peer.requests), len(sender.paused)) == (2, 1)


async def test_a_platform_that_was_down_is_tried_again(sockets: "SocketPeer") -> None:
    """Nothing was sent while nobody listened; the message goes out once when somebody does."""
    sockets.will(200, SENT)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        sockets.url = f"http://127.0.0.1:{place.getsockname()[1]}/api"
        servers = [asyncio.start_server(sockets.serve, sock=place)]
        starting: list[asyncio.Task[asyncio.Server]] = []

        class Opening(Sender):
            def _note(self, error: PlatformError, pause: float) -> None:
                super()._note(error, pause)
                starting.extend(asyncio.create_task(servers.pop()) for _ in servers[:])

        sender = Opening(sockets)
        assert await sender.send() == Message(123, 1669947527)
        assert {error.fate for error, _ in sender.paused} == {Fate.NOT_SENT}
        assert len(sockets.requests) == 1
        (await starting[0]).close()


async def test_a_platform_that_stays_down_is_given_up(sockets: "SocketPeer") -> None:
    """When its time is over the message fails as one that was not sent."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        sockets.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    sender = Sender(sockets)
    began = sender.clock.now()
    with pytest.raises(PlatformUnreachable):
        await sender.send(20)
    assert sender.clock.now() - began < 20
    assert len(sender.paused) > 3
