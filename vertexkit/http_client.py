"""The HTTP client for what blocks ask of other services."""

from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from vertexkit import spans

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


class _Client(HttpxAiohttpClient):
    """Names failures as httpx does.

    The transport calls any broken connection a `ConnectTimeout`, which would tell an author that
    nothing was sent, and lets aiohttp's own error for a garbled answer through.
    """

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        spans.hand_on(request.headers)
        try:
            return await super().send(request, **options)
        except httpx.ConnectTimeout as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            raise _named(error.__cause__ or error, request) from error.__cause__
        except aiohttp.ClientError as error:
            raise _named(error, request) from error


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
