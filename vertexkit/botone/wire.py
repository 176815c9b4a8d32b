"""The wire: POSTs JSON to the platform for `send_message` and `complete`, the hot path.

A wire sends bytes once and reports what is known about their fate. It knows no tokens, no methods
and no retries: those are in `vertex`. The dialog API does not use it; see `http_client`.
"""

from io import BytesIO
from typing import Protocol

import aiohttp
from yarl import URL

from vertexkit.botone.certificates import tls_context
from vertexkit.botone.failures import from_wire_exception
from vertexkit.botone.headers import VERTEX_HEADERS
from vertexkit.botone.proxies import Proxies
from vertexkit.botone.response import Response
from vertexkit.errors import PlatformError, PlatformUnreachable, SettingsError

MAX_RESPONSE_BYTES = 1024 * 1024
"""Bytes of a response's body that are read; the rest is discarded."""
CONNECT_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SHARE = 0.9
"""The part of a short request's timeout that connecting may take. It is below 1, so that a failed
connection (nothing was sent) and a late response (the outcome is unknown) can be told apart."""
STREAMED_BODY_BYTES = 1024 * 1024
"""A larger body is sent in pieces: aiohttp warns about larger ones sent at once."""
KEEP_ALIVE_SECONDS = 4.0
"""How long an idle connection is kept: shorter than common servers keep theirs, so that a request
is rarely sent on a connection that the server is closing."""


class Wire(Protocol):
    """Posts JSON to the platform.

    An implementation sends each request at most once: it never retries or follows a redirect.
    """

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        """Post a body and read the response.

        If the status arrived, the result is a `Response`, even if its body is incomplete.

        Args:
            url: the whole URL.
            body: JSON.
            timeout: seconds for the whole request, from connecting to the response's last byte;
                above 0.

        Returns:
            The response, whatever its status.

        Raises:
            PlatformUnreachable: not a byte of the request was sent.
            SendOutcomeUnknown: no response arrived; the platform may have processed the request.
        """

    async def close(self) -> None:
        """Close the connections."""


class AiohttpWire:
    """The wire of production: one aiohttp session.

    It opens as many connections as there are requests in progress. `Vertex` limits those, because
    a long queue in aiohttp's connector adds half of the cost of a request.

    Args:
        proxies: through which the platform is reached; by default those of the environment.
    """

    def __init__(self, proxies: Proxies | None = None) -> None:
        self._proxies = proxies or Proxies.from_environment()
        self._routes: dict[str, tuple[URL, URL | None]] = {}
        """For each URL: the same, parsed, and its proxy. aiohttp's `trust_env` would read the
        environment for each request."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=tls_context()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=VERTEX_HEADERS,
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        target, proxy = self._routes.get(url) or self._find_route(url)
        connect = min(CONNECT_TIMEOUT_SECONDS, timeout * CONNECT_TIMEOUT_SHARE)
        limits = aiohttp.ClientTimeout(total=timeout, connect=connect)
        data = body if len(body) <= STREAMED_BODY_BYTES else BytesIO(body)
        partial: Response | None = None
        try:
            async with self._session.post(
                target, data=data, allow_redirects=False, timeout=limits, proxy=proxy
            ) as reply:
                partial = Response(reply.status, b"", reply.headers.get("Retry-After"))
                content = await self._read(reply)
                return Response(partial.status, content, partial.retry_after)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            failure: PlatformError = from_wire_exception(target.path, error)
        if partial is not None:
            return partial
        # Not `from error`: aiohttp's exception holds the request, and so the token.
        raise failure from None

    def _find_route(self, url: str) -> tuple[URL, URL | None]:
        target = _parse_url(url)
        try:
            route = target, self._proxies.find(url)
        except SettingsError as error:
            raise PlatformUnreachable("POST", target.path, reason=str(error)) from None
        return self._routes.setdefault(url, route)

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        length = reply.content_length
        if length is not None and length <= MAX_RESPONSE_BYTES:
            return await reply.read()
        body = b""
        async for chunk in reply.content.iter_any():
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                reply.close()
                break
        return body[:MAX_RESPONSE_BYTES]

    async def close(self) -> None:
        await self._session.close()


def _parse_url(url: str) -> URL:
    """Parse a URL; one that no request can be sent to counts as unreachable."""
    try:
        target = URL(url)
        if target.scheme in {"http", "https"} and (target.host or "").encode("idna"):
            return target
    except ValueError:
        pass
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    raise PlatformUnreachable("POST", path, reason="invalid URL")
