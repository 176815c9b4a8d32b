"""A wire to an ASGI app in the same process, for tests: no socket is opened."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from vertexkit.botone.headers import VERTEX_HEADERS
from vertexkit.botone.response import Response
from vertexkit.botone.wire import MAX_RESPONSE_BYTES
from vertexkit.clock import Clock
from vertexkit.errors import SendOutcomeUnknown

AsgiApp: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]


class AsgiWire:
    """Sends requests to an ASGI app instead of a socket; see `Wire`.

    An exception inside the app counts as a lost connection: before the response has started it is
    a `SendOutcomeUnknown`, afterwards the response has the part of the body that was sent.

    Args:
        app: the platform.
        clock: measures the timeouts.
    """

    def __init__(self, app: AsgiApp, clock: Clock | None = None) -> None:
        self._app = app
        self._clock = clock or Clock()

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        address = urlsplit(url)
        exchange = _Exchange(body)
        try:
            async with asyncio.timeout(None) as limit:
                timer = self._clock.timer(timeout, lambda: limit.reschedule(0.0))
                try:
                    await self._app(_scope(address, body), exchange.receive, exchange.send)
                finally:
                    timer.cancel()
        except TimeoutError:
            reason = "no response in time"
        except Exception:  # noqa: BLE001 - over a socket, any failure of the app looks the same
            reason = "the connection was lost"
        else:
            reason = "no response"
        if exchange.status is None:
            raise SendOutcomeUnknown("POST", address.path, reason=reason) from None
        content = exchange.content[:MAX_RESPONSE_BYTES]
        return Response(exchange.status, content, exchange.retry_after)

    async def close(self) -> None:
        return None


class _Exchange:
    """One request and its response, as the ASGI app reads and writes them."""

    def __init__(self, body: bytes) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.content = b""
        self._body: bytes | None = body

    async def receive(self) -> dict[str, Any]:
        if self._body is None:
            await asyncio.Event().wait()  # the client stays connected until the app returns
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = {name.lower(): value for name, value in message.get("headers", [])}
            retry_after = headers.get(b"retry-after")
            self.retry_after = None if retry_after is None else retry_after.decode("latin-1")
        elif message["type"] == "http.response.body":
            self.content += message.get("body", b"")


def _scope(address: SplitResult, body: bytes) -> dict[str, Any]:
    headers = {name.lower().encode(): value.encode() for name, value in VERTEX_HEADERS.items()}
    headers |= {b"host": b"platform.test", b"content-length": str(len(body)).encode()}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": address.path,
        "raw_path": address.path.encode(),
        "query_string": address.query.encode(),
        "root_path": "",
        "headers": list(headers.items()),
        "client": ("127.0.0.1", 0),
        "server": ("platform.test", 80),
    }
