"""One contract for every wire: bytes out, an answer or a classed failure back."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from vertexkit.botone.response import Response
from vertexkit.botone.wire import MAX_RESPONSE_BYTES
from vertexkit.errors import PlatformError, SendOutcomeUnknown

if TYPE_CHECKING:
    from tests.botone.conftest import Peer, Then

PATIENT, SHORT = 20.0, 0.05
SECRET = b'{"token":"very-secret-token"}'


async def fail(peer: "Peer", timeout: float = PATIENT) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await peer.wire.post(f"{peer.url}/say", SECRET, timeout)
    return caught.value


async def test_the_bytes_go_out_as_they_are(peer: "Peer") -> None:
    """The body arrives byte for byte, once, as JSON, at the address that was given."""
    body = '{"text": "Привет,  мир", "n": 1e2}'.encode()
    await peer.wire.post(f"{peer.url}/vertex/say?now=1", body, PATIENT)
    [request] = peer.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/vertex/say", "now=1")
    assert request.body == body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == str(len(body))
    assert "transfer-encoding" not in request.headers


async def test_a_large_body_goes_out_whole(peer: "Peer") -> None:
    """A body far beyond a socket's buffer arrives complete."""
    body = b'"' + b"x" * 3_000_000 + b'"'
    assert (await peer.wire.post(peer.url, body, PATIENT)).status == 200
    assert peer.requests[0].body == body


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 403, 404, 429, 500, 503])
async def test_every_status_is_an_answer(peer: "Peer", status: int) -> None:
    """The wire judges no status and follows no redirect: one request, its answer as it came."""
    body = b"" if status == 204 else b'{"a": 1}'
    peer.will(status, body, Location=f"{peer.url}/elsewhere")
    answer = await peer.wire.post(f"{peer.url}/say", b"{}", PATIENT)
    assert answer == Response(status, body, None)
    assert [request.path for request in peer.requests] == ["/api/say"]


async def test_retry_after_comes_as_it_was_said(peer: "Peer") -> None:
    """`Retry-After` is handed on as text, however its name is spelled; other headers are not."""
    peer.will(429, RETRY_after="Wed, 21 Oct 2026 07:28:00 GMT", X_other="1")
    answer = await peer.wire.post(peer.url, b"{}", PATIENT)
    assert answer.retry_after == "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("then", ["break", "reset"])
async def test_nothing_for_an_answer_is_an_unknown_outcome(peer: "Peer", then: "Then") -> None:
    """A request that was read and not answered may have been carried out, and is not repeated."""
    peer.will(None, then=then)
    assert type(await fail(peer)) is SendOutcomeUnknown
    assert len(peer.requests) == 1


async def test_silence_is_an_unknown_outcome(peer: "Peer") -> None:
    """A platform that reads and never answers costs no more than the time given, and one request."""
    peer.will(None, then="hang")
    error = await fail(peer, SHORT)
    assert type(error) is SendOutcomeUnknown
    assert str(error).endswith("no response in time")
    assert len(peer.requests) == 1


@pytest.mark.parametrize("then", ["break", "reset", "hang"])
@pytest.mark.parametrize("status", [200, 403, 503])
async def test_half_an_answer_keeps_its_status(peer: "Peer", status: int, then: "Then") -> None:
    """Once the status has come it counts, with its Retry-After, even if the body never ends."""
    peer.will(status, b'{"message_id": 1', then, Retry_After="7")
    timeout = SHORT if then == "hang" else PATIENT
    answer = await peer.wire.post(peer.url, b"{}", timeout)
    assert (answer.status, answer.retry_after) == (status, "7")
    assert len(peer.requests) == 1


async def test_a_huge_answer_is_cut(peer: "Peer") -> None:
    """No more than the limit of an answer is kept, whatever the platform sends."""
    peer.will(200, b"x" * (MAX_RESPONSE_BYTES + 100_000))
    answer = await peer.wire.post(peer.url, b"{}", PATIENT)
    assert answer == Response(200, b"x" * MAX_RESPONSE_BYTES)


async def test_an_answer_as_long_as_the_limit_is_whole(peer: "Peer") -> None:
    """The limit itself cuts nothing."""
    peer.will(200, b"x" * MAX_RESPONSE_BYTES)
    assert len((await peer.wire.post(peer.url, b"{}", PATIENT)).body) == MAX_RESPONSE_BYTES


async def test_the_wire_works_on_after_a_failure(peer: "Peer") -> None:
    """What broke once breaks nothing for the request after it."""
    peer.will(None, then="reset")
    peer.will(200, b"half", "break")
    peer.will(200, b"whole")
    await fail(peer)
    assert (await peer.wire.post(peer.url, b"1", PATIENT)).status == 200
    assert (await peer.wire.post(peer.url, b"2", PATIENT)).body == b"whole"
    assert [request.body for request in peer.requests] == [SECRET, b"1", b"2"]


async def test_many_at_once_are_all_under_way(peer: "Peer") -> None:
    """The wire itself limits nothing: each is answered only once all are at the platform."""
    peer.crowd = asyncio.Barrier(150)
    urls = [f"{peer.url}/{number}" for number in range(150)]
    answers = await asyncio.gather(*(peer.wire.post(url, b"{}", PATIENT) for url in urls))
    assert {answer.status for answer in answers} == {200}
    assert sorted(r.path for r in peer.requests) == sorted(f"/api/{n}" for n in range(150))


async def test_a_cancelled_request_ends_at_once(peer: "Peer") -> None:
    """Cancelling is neither swallowed nor turned into a platform's error."""
    peer.will(None, then="hang")
    task = asyncio.create_task(peer.wire.post(peer.url, b"{}", PATIENT))
    await peer.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("then", ["break", "reset", "hang"])
async def test_no_failure_tells_the_token(peer: "Peer", then: "Then") -> None:
    """Neither the error nor what hangs on it holds the request: no cause, no context, no body."""
    peer.will(None, then=then)
    error = await fail(peer, SHORT if then == "hang" else PATIENT)
    shown = f"{error} {error!r} {error.args} {vars(error)}"
    assert "very-secret-token" not in shown
    assert error.__cause__ is None
    assert error.__context__ is None
    assert (error.method, error.path) == ("POST", "/api/say")


async def test_an_answer_shown_does_not_tell_its_body(peer: "Peer") -> None:
    """A platform that repeats the token in its answer does not bring it into a log."""
    peer.will(400, SECRET)
    assert "very-secret-token" not in repr(await peer.wire.post(peer.url, b"{}", PATIENT))
