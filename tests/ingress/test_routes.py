"""Tests of the router: what it answers for itself."""

from typing import Any

import pytest
from pydantic_core import from_json
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.ingress.routes import make_router


class Broken:
    """An endpoint that fails, after it has sent some messages."""

    def __init__(self, *sent: dict[str, Any]) -> None:
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for message in self._sent:
            await send(message)
        raise LookupError("of the endpoint")


async def ask(endpoint: ASGIApp, path: str = "/broken", kind: str = "http") -> list[Any]:
    """Send a request to a router with this endpoint; return what it answers, and what it raises."""
    answer: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing is read of the request")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and answer:
            raise RuntimeError("the response has started, says the server")
        answer.append(message)

    scope = {"type": kind, "method": "POST", "path": path, "raw_path": path.encode(), "headers": []}
    try:
        await make_router([Route("/broken", endpoint)])(scope, receive, send)
    except LookupError as error:
        answer.append(error)
    return answer


async def test_an_endpoint_that_fails_is_answered_with_a_problem() -> None:
    """The client gets a 500 without the error's text, and the server gets the error, to log it."""
    start, body, error = await ask(Broken())
    assert start["status"] == 500
    assert from_json(body["body"])["code"] == "failed"
    assert b"of the endpoint" not in body["body"]
    assert isinstance(error, LookupError)


async def test_an_endpoint_that_fails_in_its_response_is_reported() -> None:
    """Nothing follows what was sent, and the server gets the endpoint's error, not its own."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    assert (await ask(Broken(start)))[:1] == [start]
    assert isinstance((await ask(Broken(start)))[1], LookupError)
    assert len(await ask(Broken(start))) == 2


@pytest.mark.parametrize("kind, answer", [("http", 404), ("websocket", "websocket.close")])
async def test_an_unknown_path_is_answered(kind: str, answer: object) -> None:
    """A request gets the problem of a path that does not exist; a WebSocket is closed."""
    first, *_ = await ask(Broken(), "/unknown", kind)
    assert answer in (first["type"], first.get("status"))
