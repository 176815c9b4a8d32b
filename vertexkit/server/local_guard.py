"""A guard for the servers of a developer's machine: other sites' pages cannot reach them."""

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_ADDRESSES = {"127.0.0.1", "localhost", "::1"}
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Size of the largest request body: more than a call of a block has."""


class LocalGuard:
    """Rejects requests that a browser makes for a page of another site, and bodies without end.

    A page of another site can send requests to this machine, and, with a host name that changes its
    address (DNS rebinding), read the responses. A browser names the site in `Origin` or `Host`.

    Args:
        app: what is guarded.
        host: the address to listen on. If it is not a loopback address, the server may have any
            name, and `Host` is not checked.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._is_loopback = host in LOOPBACK_ADDRESSES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _LimitedBody(receive, send)
        if (rejection := self._rejection(Headers(scope=scope))) is not None:
            await rejection(scope, receive, send)
            return
        try:
            await self._app(scope, body.receive, body.send)
        except _BodyTooLarge:
            if not body.response_started:
                await _too_large()(scope, receive, send)

    def _rejection(self, headers: Headers) -> PlainTextResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._is_loopback and _split(f"//{host}").hostname not in LOOPBACK_ADDRESSES:
            return PlainTextResponse("Invalid host header: use 127.0.0.1 or localhost.", 400)
        if origin is not None and _split(origin).netloc != host:
            return PlainTextResponse("Requests from other sites are not allowed.", 403)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            return _too_large()
        return None


class _BodyTooLarge(Exception):
    """More of a body was received than is allowed."""


class _LimitedBody:
    """The channels of one request; counts the body."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.response_started = False
        self._receive = receive
        self._send = send
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY_BYTES:
            raise _BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        self.response_started = True
        await self._send(message)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket without its pair
        return urlsplit("")


def _too_large() -> PlainTextResponse:
    text = f"The body must not be larger than {MAX_BODY_BYTES} bytes."
    return PlainTextResponse(text, 413, headers={"connection": "close"})
