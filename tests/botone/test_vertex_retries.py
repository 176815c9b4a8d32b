"""Retries of messages: only if the message cannot be sent twice."""

import asyncio
import socket

import pytest

from tests.botone.scripted_server import ScriptedServer, SocketServer, Then
from tests.loop_time import skip
from tests.reserved_port import reserved_port
from tests.waiting import occurs
from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.models import Message
from vertexkit.botone.retries import MAX_BACKOFF_SECONDS
from vertexkit.botone.vertex import Vertex
from vertexkit.errors import Fate, PlatformError, PlatformUnreachable, RateLimited, ServerError
from vertexkit.settings import PlatformSettings
from vertexkit.testing.clock import VirtualClock
from vertexkit.token import Token

TOKEN = Token("very-secret-token")
HOUR = 3600.0
SEND_TIMEOUT_SECONDS = 20.0
SENT = b'{"message_id": 123, "created_at": 1669947527}'


class Sender:
    """Sends messages and records the pauses."""

    def __init__(self, server: ScriptedServer) -> None:
        self.clock = VirtualClock()
        self.paused: list[tuple[PlatformError, float]] = []
        self._vertex = Vertex(
            server.wire,
            PlatformAddress(server.url),
            self.clock,
            PlatformSettings(send_timeout=SEND_TIMEOUT_SECONDS),
        )

    async def send(self, seconds: float = HOUR) -> Message:
        return await self._vertex.send_message(
            TOKEN, "Привет", True, self.clock.now() + seconds, self._note
        )

    def _note(self, error: PlatformError, pause: float) -> None:
        self.paused.append((error, pause))


@pytest.mark.parametrize("status, after", [(429, 7), (408, 7), (503, 7)])
async def test_a_retryable_status_is_retried_after_its_pause(
    server: ScriptedServer, status: int, after: int
) -> None:
    """A request with a Retry-After is sent again, not earlier, with the same bytes."""
    for _ in range(2):
        server.will(status, Retry_After=str(after))
    server.will(200, SENT)
    sender = Sender(server)
    started = sender.clock.now()
    assert await sender.send() == Message(123, 1669947527)
    assert sender.clock.now() - started >= 2 * after
    assert len(server.requests) == 3
    assert len({request.body for request in server.requests}) == 1
    assert [error.status for error, _ in sender.paused] == [status] * 2
    assert all(after <= pause <= after * 1.1 for _, pause in sender.paused)


async def test_pauses_grow_without_retry_after(server: ScriptedServer) -> None:
    """A 429 without Retry-After is retried after growing pauses."""
    for _ in range(6):
        server.will(429)
    server.will(200, SENT)
    sender = Sender(server)
    await sender.send()
    pauses = [pause for _, pause in sender.paused]
    assert len(pauses) == 6
    assert all(later > earlier for earlier, later in zip(pauses, pauses[2:], strict=False))


async def test_a_long_retry_after_is_limited(server: ScriptedServer) -> None:
    """A Retry-After of a year is limited to the longest pause."""
    server.will(429, Retry_After="31536000")
    server.will(200, SENT)
    sender = Sender(server)
    await sender.send()
    [(_, pause)] = sender.paused
    assert MAX_BACKOFF_SECONDS <= pause <= MAX_BACKOFF_SECONDS * 1.1


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", [307, 400, 401, 403, 404, 413, 422, 500, 502, 503, 504])
async def test_what_is_final_or_unknown_is_not_tried_again(
    server: ScriptedServer, status: int
) -> None:
    """A rejection is final, and with a 5xx the message may have been sent."""
    server.will(status)
    sender = Sender(server)
    with pytest.raises(PlatformError) as caught:
        await sender.send()
    assert caught.value.status == status
    assert (len(server.requests), sender.paused) == (1, [])


@pytest.mark.parametrize("then", ["break", "reset", "hang"])
async def test_no_answer_is_not_tried_again(server: ScriptedServer, then: Then) -> None:
    """A message that may have been sent is not sent again."""
    server.will(None, then=then)
    sender = Sender(server)
    sending = asyncio.create_task(sender.send())
    if then == "hang":
        await occurs(server.arrived, "the message has arrived")
        skip(SEND_TIMEOUT_SECONDS + 1)
    with pytest.raises(PlatformError) as caught:
        await sending
    assert caught.value.fate is Fate.UNKNOWN
    assert (len(server.requests), sender.paused) == (1, [])


async def test_the_last_attempt_decides(server: ScriptedServer) -> None:
    """The error of the last attempt is raised."""
    server.will(429, Retry_After="1")
    server.will(500)
    with pytest.raises(ServerError):
        await Sender(server).send()
    assert len(server.requests) == 2


async def test_no_attempt_starts_after_the_deadline(server: ScriptedServer) -> None:
    """If the pause would end after the deadline, the last error is raised at once."""
    server.will(429, Retry_After="30")
    sender = Sender(server)
    started = sender.clock.now()
    with pytest.raises(RateLimited):
        await sender.send(45)
    assert 30 <= sender.clock.now() - started < 45
    assert (len(server.requests), len(sender.paused)) == (2, 1)


async def test_a_platform_that_was_down_is_tried_again(sockets: SocketServer) -> None:
    """While there is no listener nothing is sent; then the message is sent once."""
    sockets.will(200, SENT)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        sockets.url = f"http://127.0.0.1:{bound.getsockname()[1]}/api"
        servers = [asyncio.start_server(sockets.serve, sock=bound)]
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


async def test_a_platform_that_stays_down_is_given_up(sockets: SocketServer) -> None:
    """At the deadline the message fails with the error that nothing was sent."""
    with reserved_port() as port:
        sockets.url = f"http://127.0.0.1:{port}"
        sender = Sender(sockets)
        with pytest.raises(PlatformUnreachable):
            await sender.send(20)
    assert sum(pause for _, pause in sender.paused) < 20
    assert len(sender.paused) > 3
