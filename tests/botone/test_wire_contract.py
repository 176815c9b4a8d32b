"""The contract of every wire: it sends bytes and returns a response or a classified error."""

import asyncio
from typing import TypeVar

import pytest

from tests.botone.scripted_server import ScriptedServer, Then
from vertexkit.botone.response import Response
from vertexkit.botone.wire import MAX_RESPONSE_BYTES
from vertexkit.errors import PlatformError, SendOutcomeUnknown

Result = TypeVar("Result", Response, SendOutcomeUnknown)
PATIENT = 60.0
TIMEOUTS_SECONDS = (0.05, 1.0, 20.0)
"""The first one is enough, unless the machine is so busy that a request needs longer to arrive."""
SECRET = b'{"token":"very-secret-token"}'


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.unmeasured),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on the loop of asyncio and on the one that `vertexkit run` uses."""
    return "asyncio", {"use_uvloop": request.param}


async def fail(server: ScriptedServer) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await server.wire.post(f"{server.url}/say", SECRET, PATIENT)
    return caught.value


async def time_out(server: ScriptedServer, kind: type[Result]) -> Result:
    """The result of a request whose response does not end; it has arrived once."""
    result: Response | PlatformError | None = None
    arrived = 0
    for timeout in TIMEOUTS_SECONDS:
        try:
            result = await server.wire.post(f"{server.url}/say?{timeout}", SECRET, timeout)
        except PlatformError as error:
            result = error
        arrived = [request.query for request in server.requests].count(str(timeout))
        if isinstance(result, kind) and arrived:
            break
    assert isinstance(result, kind), repr(result)
    assert arrived == 1
    return result


async def test_the_bytes_go_out_as_they_are(server: ScriptedServer) -> None:
    """The body arrives once, byte for byte, as JSON, at the given URL."""
    body = '{"text": "Привет,  мир", "n": 1e2}'.encode()
    await server.wire.post(f"{server.url}/vertex/say?now=1", body, PATIENT)
    [request] = server.requests
    assert (request.method, request.path, request.query) == ("POST", "/api/vertex/say", "now=1")
    assert request.body == body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == str(len(body))
    assert "transfer-encoding" not in request.headers


async def test_a_large_body_goes_out_whole(server: ScriptedServer) -> None:
    """A body much larger than a socket's buffer arrives completely."""
    body = b'"' + b"x" * 3_000_000 + b'"'
    assert (await server.wire.post(server.url, body, PATIENT)).status == 200
    assert server.requests[0].body == body


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 403, 404, 429, 500, 503])
async def test_every_status_is_an_answer(server: ScriptedServer, status: int) -> None:
    """The wire returns every status unchanged and follows no redirect."""
    body = b"" if status == 204 else b'{"a": 1}'
    server.will(status, body, Location=f"{server.url}/elsewhere")
    answer = await server.wire.post(f"{server.url}/say", b"{}", PATIENT)
    assert answer == Response(status, body, None)
    assert [request.path for request in server.requests] == ["/api/say"]


async def test_retry_after_is_returned_unchanged(server: ScriptedServer) -> None:
    """The value of `Retry-After` is returned as text, whatever the case of the header's name."""
    server.will(429, RETRY_after="Wed, 21 Oct 2026 07:28:00 GMT", X_other="1")
    answer = await server.wire.post(server.url, b"{}", PATIENT)
    assert answer.retry_after == "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("then", ["break", "reset"])
async def test_a_closed_connection_is_an_unknown_outcome(
    server: ScriptedServer, then: Then
) -> None:
    """A request without a response may have been processed and is not repeated."""
    server.will(None, then=then)
    assert type(await fail(server)) is SendOutcomeUnknown
    assert len(server.requests) == 1


async def test_silence_is_an_unknown_outcome(server: ScriptedServer) -> None:
    """A platform that never responds costs the timeout and one request."""
    server.will(None, then="hang")
    error = await time_out(server, SendOutcomeUnknown)
    assert str(error).endswith("no response in time")


@pytest.mark.unmeasured
@pytest.mark.parametrize("then", ["break", "reset", "hang"])
@pytest.mark.parametrize("status", [200, 403, 503])
async def test_half_an_answer_keeps_its_status(
    server: ScriptedServer, status: int, then: Then
) -> None:
    """A status that has arrived counts, with its Retry-After, even if the body is incomplete."""
    server.will(status, b'{"message_id": 1', then, Retry_After="7")
    if then == "hang":
        answer = await time_out(server, Response)
    else:
        answer = await server.wire.post(server.url, b"{}", PATIENT)
        assert len(server.requests) == 1
    assert (answer.status, answer.retry_after) == (status, "7")


async def test_a_huge_answer_is_cut(server: ScriptedServer) -> None:
    """A response's body is read up to the limit."""
    server.will(200, b"x" * (MAX_RESPONSE_BYTES + 100_000))
    answer = await server.wire.post(server.url, b"{}", PATIENT)
    assert answer == Response(200, b"x" * MAX_RESPONSE_BYTES)


async def test_an_answer_as_long_as_the_limit_is_whole(server: ScriptedServer) -> None:
    """A body as long as the limit is complete."""
    server.will(200, b"x" * MAX_RESPONSE_BYTES)
    assert len((await server.wire.post(server.url, b"{}", PATIENT)).body) == MAX_RESPONSE_BYTES


async def test_the_wire_works_on_after_a_failure(server: ScriptedServer) -> None:
    """A failed request does not affect the next one."""
    server.will(None, then="reset")
    server.will(200, b"half", "break")
    server.will(200, b"whole")
    await fail(server)
    assert (await server.wire.post(server.url, b"1", PATIENT)).status == 200
    assert (await server.wire.post(server.url, b"2", PATIENT)).body == b"whole"
    assert [request.body for request in server.requests] == [SECRET, b"1", b"2"]


@pytest.mark.unmeasured
async def test_many_at_once_are_all_under_way(server: ScriptedServer) -> None:
    """The wire does not limit requests: all of them arrive before the first response."""
    server.crowd = asyncio.Barrier(150)
    urls = [f"{server.url}/{number}" for number in range(150)]
    answers = await asyncio.gather(*(server.wire.post(url, b"{}", PATIENT) for url in urls))
    assert {answer.status for answer in answers} == {200}
    assert sorted(r.path for r in server.requests) == sorted(f"/api/{n}" for n in range(150))


async def test_a_cancelled_request_ends_at_once(server: ScriptedServer) -> None:
    """A cancellation is neither suppressed nor turned into a PlatformError."""
    server.will(None, then="hang")
    task = asyncio.create_task(server.wire.post(server.url, b"{}", PATIENT))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("then", ["break", "reset", "hang"])
async def test_no_error_contains_the_token(server: ScriptedServer, then: Then) -> None:
    """Neither the error nor its cause and context contain the request."""
    server.will(None, then=then)
    error = await (time_out(server, SendOutcomeUnknown) if then == "hang" else fail(server))
    shown = f"{error} {error!r} {error.args} {vars(error)}"
    assert "very-secret-token" not in shown
    assert error.__cause__ is None
    assert error.__context__ is None
    assert (error.method, error.path) == ("POST", "/api/say")


async def test_the_repr_of_a_response_has_no_body(server: ScriptedServer) -> None:
    """A token that the platform repeats in a response is not in its repr."""
    server.will(400, SECRET)
    assert "very-secret-token" not in repr(await server.wire.post(server.url, b"{}", PATIENT))
