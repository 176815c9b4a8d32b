"""The HTTP client: httpx's interface over aiohttp's connections. The only module with httpx in it.

Authors use it for other services (`vertexkit.http_client`), and `dialog_requests` for the dialog
API. Messages and completions do not go through it; see `wire`.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from vertexkit.telemetry import tracing

HttpClient = httpx.AsyncClient
HttpResponse = httpx.Response
HttpError = httpx.HTTPError
"""The base class of all exceptions of a request."""
NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""The exceptions after which the server has certainly not received the request."""
DEFAULT_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
"""Seconds for each step of a request; short, because a dialog waits for the result."""
DEFAULT_LIMITS = httpx.Limits(max_connections=100, keepalive_expiry=4.0)
"""Idle connections are closed before common servers close them (after 5 s), so that a request is
not sent on a connection that is being closed."""


def http_client(**options: Any) -> httpx.AsyncClient:
    """Create an HTTP client that all executions of a process share.

    Create it in the app's lifespan and yield it, alone or with other values, so that handlers find
    it in `ctx.state`. It has httpx's interface and aiohttp's connections, which stay fast with
    hundreds of simultaneous requests. It does not support HTTP/2.

    Args:
        **options: the options of `httpx.AsyncClient`: `base_url`, `headers`, `auth`, `timeout`
            (by default 10 s for each step and 5 s to connect), `limits` (by default 100
            connections) and others.

    Returns:
        The client, an async context manager. Its requests raise `httpx.HTTPError`.
    """
    options.setdefault("timeout", DEFAULT_TIMEOUT)
    options.setdefault("limits", DEFAULT_LIMITS)
    return _TracingClient(**options)


def asgi_client(app: Any) -> httpx.AsyncClient:
    """Create a client whose requests an ASGI app in this process handles; for tests."""
    return httpx.AsyncClient(transport=_AsgiTransport(app=app))


class _AsgiTransport(httpx.ASGITransport):
    """Raises for a connection that the app breaks what httpx raises for a broken socket."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except ConnectionError as error:
            raise httpx.ReadError(str(error), request=request) from error


class _TracingClient(HttpxAiohttpClient):
    """Adds the current span to each request."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        tracing.inject(request.headers)
        return await super().send(request, **options)

    def _init_transport(self, **options: Any) -> httpx.AsyncBaseTransport:  # type: ignore[override]
        return options.pop("transport", None) or _Transport(**options)

    def _init_proxy_transport(self, proxy: httpx.Proxy, **options: Any) -> httpx.AsyncBaseTransport:  # type: ignore[override]
        return _Transport(**options, proxy=proxy)


class _Transport(AiohttpTransport):
    """Raises the exceptions that httpx's own transport raises, also while a body is read.

    The base class raises `ConnectTimeout` for any broken connection, from which an author would
    conclude that nothing was sent, and lets aiohttp's exception for an invalid response through.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await super().handle_async_request(request)
        except (httpx.ConnectTimeout, aiohttp.ClientError) as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise _to_httpx(error.__cause__ or error, request) from error
        response.stream = _Stream(response.stream, request)
        return response


class _Stream(httpx.AsyncByteStream):
    """A response's body; see `_Transport`."""

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
            raise _to_httpx(error.__cause__ or error, self._request) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _to_httpx(error: BaseException, request: httpx.Request) -> httpx.TransportError:
    """Return httpx's exception for one of aiohttp."""
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
