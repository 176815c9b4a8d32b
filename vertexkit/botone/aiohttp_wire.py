"""The wire over aiohttp: selected by a setting, and where the platform is behind a proxy."""

from io import BytesIO

import aiohttp
from yarl import URL

from vertexkit.botone.certificates import tls_context
from vertexkit.botone.failures import from_wire_exception
from vertexkit.botone.headers import VERTEX_HEADERS
from vertexkit.botone.proxies import Proxies
from vertexkit.botone.response import Response
from vertexkit.botone.wire import (
    CONNECT_TIMEOUT_SECONDS,
    KEEP_ALIVE_SECONDS,
    MAX_RESPONSE_BYTES,
    parse_url,
)
from vertexkit.errors import PlatformError, PlatformUnreachable, SettingsError

CONNECT_TIMEOUT_SHARE = 0.9
"""The part of a short request's timeout that connecting may take. It is below 1, so that a failed
connection (nothing was sent) and a late response (the outcome is unknown) can be told apart."""
STREAMED_BODY_BYTES = 1024 * 1024
"""A larger body is sent in pieces: aiohttp warns about larger ones sent at once."""


class AiohttpWire:
    """A wire over an aiohttp session.

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
        target = parse_url(url)
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
