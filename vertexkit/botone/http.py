"""The HTTP client for what blocks ask of other services."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from vertexkit.telemetry import tracing

Client = httpx.AsyncClient
Reply = httpx.Response
HttpError = httpx.HTTPError
"""Whatever fails in a request."""
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Of these, what surely left nothing with the other side."""
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
"""Seconds for each wait of a request: a dialog is waiting too."""
LIMITS = httpx.Limits(max_connections=100, keepalive_expiry=4.0)
"""Idle connections go before common servers, at 5 s, close them under a request."""


def http_client(**options: Any) -> httpx.AsyncClient:
    """Make an HTTP client, to be shared by all executions of a process.

    Make it in the app's lifespan and yield it, alone or among other things: it is `ctx.state` then.
    It is httpx's interface on aiohttp's connections, which stay fast when hundreds of executions
    ask at once. HTTP/2 is not spoken.

    Args:
        **options: those of `httpx.AsyncClient`: `base_url`, `headers`, `auth`, `timeout` (by
            default 10 s for each wait and 5 s to connect), `limits` (100 connections), ...

    Returns:
        An async context manager. Whatever fails in a request is an `httpx.HTTPError`.
    """
    options.setdefault("timeout", TIMEOUT)
    options.setdefault("limits", LIMITS)
    return _Client(**options)


def client_of(app: Any) -> httpx.AsyncClient:
    """A client whose every request an ASGI app answers, in this process."""
    return httpx.AsyncClient(transport=_InProcess(app=app))


class _InProcess(httpx.ASGITransport):
    """A connection that an app breaks is told as one that a socket broke."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except ConnectionError as error:
            raise httpx.ReadError(str(error), request=request) from error


class _Client(HttpxAiohttpClient):
    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        tracing.hand_on(request.headers)
        return await super().send(request, **options)

    def _init_transport(self, **options: Any) -> httpx.AsyncBaseTransport:  # type: ignore[override]
        return options.pop("transport", None) or _Transport(**options)

    def _init_proxy_transport(self, proxy: httpx.Proxy, **options: Any) -> httpx.AsyncBaseTransport:  # type: ignore[override]
        return _Transport(**options, proxy=proxy)


class _Transport(AiohttpTransport):
    """Names failures as httpx does, also of an answer that is read bit by bit.

    Its base calls any broken connection a `ConnectTimeout`, which would tell an author that
    nothing was sent, and lets aiohttp's own error for a garbled answer through.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            reply = await super().handle_async_request(request)
        except (httpx.ConnectTimeout, aiohttp.ClientError) as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise _named(error.__cause__ or error, request) from error
        reply.stream = _Stream(reply.stream, request)
        return reply


class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: Any, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except (httpx.ConnectTimeout, aiohttp.ClientError) as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise _named(error.__cause__ or error, self._request) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _named(error: BaseException, request: httpx.Request) -> httpx.TransportError:
    match error:
        case aiohttp.ClientProxyConnectionError():
            kind: type[httpx.TransportError] = httpx.ProxyError
        case aiohttp.ClientConnectorError():
            kind = httpx.ConnectError
        case OSError():
            kind = httpx.ReadError
        case _:
            kind = httpx.RemoteProtocolError
    return kind(str(error), request=request)
