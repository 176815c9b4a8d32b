"""Answers of the fake platform: refusals, and what an ordered fault leaves of an answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Send

from vertexkit.testing.platform.faults import Fault
from vertexkit.testing.platform.ledger import Exchange

REFUSED = 403
GARBAGE = b"<!DOCTYPE html>\n<html><body><h1>It works!</h1></body></html>\n"
NOTED = 4096
"""Bytes of an answer that the ledger keeps; of a larger one it keeps nothing."""
EMPTY = (204, 304)
"""Statuses whose answer has no body."""


def refusal(status: int, sentence: str) -> JSONResponse:
    """An answer that says what is wrong: the document does not say how the platform does."""
    return JSONResponse({"message": sentence}, status)


def spoil(exchange: Exchange, answer: Response, fault: Fault) -> Response:
    """What a fault leaves of an answer; the exchange is told what of it to withhold."""
    if fault.kind == "cut" or (fault.kind == "lost" and fault.status is None):
        exchange.withheld = "all"
    elif fault.kind == "half":
        exchange.withheld = "half"
        # An empty answer has no half: this one announces a body.
        return answer if answer.body else JSONResponse({"status": "completed"})
    elif fault.kind == "garbage":
        status = answer.status_code if answer.status_code == REFUSED else 200
        return Response(fault.body or GARBAGE, status, media_type="text/html")
    elif fault.status is not None:
        if fault.body is None and fault.status not in EMPTY:
            return JSONResponse({"message": "ordered"}, fault.status, fault.headers)
        return Response(fault.body, fault.status, fault.headers, _media_type(fault.body))
    return answer


async def while_caller_stays(request: Request, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, but give it up when the caller goes away; tell whether the caller stayed."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_leave(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return not leaving.done()
    finally:
        working.cancel()
        leaving.cancel()


async def _leave(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _media_type(body: bytes | None) -> str:
    start = (body or b"").lstrip()[:1]
    if start in (b"{", b"["):
        return "application/json"
    return "text/html" if start == b"<" else "text/plain"


async def read_body(receive: Receive) -> bytes | None:
    """The whole body, or None if the caller left before its end."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def written_down(exchange: Exchange, send: Send) -> Send:
    """Write down what is answered, and let out only what the caller may see of it."""

    async def answer(message: Message) -> None:
        if exchange.left or exchange.withheld == "all":
            return
        if message["type"] == "http.response.start":
            asked = Headers(raw=message.get("headers", [])).get("retry-after")
            exchange.note(status=message["status"], retry_after=asked)
        elif len(message.get("body", b"")) <= NOTED:
            exchange.note(answer=message.get("body", b""))
        if message["type"] == "http.response.body" and exchange.withheld == "half":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return answer
