"""Responses of the fake platform: errors, and how an ordered fault changes a response."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Send

from vertexkit.testing.platform.faults import Fault
from vertexkit.testing.platform.ledger import Exchange

HTML_PAGE = b"<!DOCTYPE html>\n<html><body><h1>It works!</h1></body></html>\n"
MAX_RECORDED_BYTES = 4096
"""Size of the largest response body that the ledger records; of a larger one it records nothing."""
STATUSES_WITHOUT_BODY = (204, 304)


def error_response(status: int, sentence: str) -> JSONResponse:
    """Return a response with an error message; the document does not show the platform's own."""
    return JSONResponse({"message": sentence}, status)


def apply_fault(exchange: Exchange, response: Response, fault: Fault) -> Response:
    """Return the response that a fault leaves, and set how much of it the exchange withholds."""
    if fault.kind == "cut" or (fault.kind == "lost" and fault.status is None):
        exchange.withheld = "all"
    elif fault.kind == "half":
        exchange.withheld = "half"
        # An empty body cannot be cut in half: this response announces one.
        return response if response.body else JSONResponse({"status": "completed"})
    elif fault.kind == "garbage":
        status = response.status_code if response.status_code == 403 else 200
        return Response(fault.body or HTML_PAGE, status, media_type="text/html")
    elif fault.status is not None:
        if fault.body is None and fault.status not in STATUSES_WITHOUT_BODY:
            return JSONResponse({"message": "ordered"}, fault.status, fault.headers)
        return Response(fault.body, fault.status, fault.headers, _media_type(fault.body))
    return response


async def run_until_disconnect(request: Request, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, but cancel it when the client disconnects.

    Returns:
        Whether the client was still connected at the end.
    """
    working = asyncio.ensure_future(work)
    disconnecting = asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait((working, disconnecting), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return not disconnecting.done()
    finally:
        working.cancel()
        disconnecting.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _media_type(body: bytes | None) -> str:
    start = (body or b"").lstrip()[:1]
    if start in (b"{", b"["):
        return "application/json"
    return "text/html" if start == b"<" else "text/plain"


async def receive_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client disconnected before its end."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def recording_send(exchange: Exchange, send: Send) -> Send:
    """Return a `send` that records the response and withholds what a fault takes from it."""

    async def record_and_send(message: Message) -> None:
        if exchange.client_left or exchange.withheld == "all":
            return
        if message["type"] == "http.response.start":
            retry_after = Headers(raw=message.get("headers", [])).get("retry-after")
            exchange.update(status=message["status"], retry_after=retry_after)
        elif len(message.get("body", b"")) <= MAX_RECORDED_BYTES:
            exchange.update(answer=message.get("body", b""))
        if message["type"] == "http.response.body" and exchange.withheld == "half":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return record_and_send
