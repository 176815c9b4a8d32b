"""The HTTP client: httpx's interface over aiohttp's connections. The only module with httpx in it.

Authors use it for other services (`vertexkit.http_client`), and `dialog_requests` for the dialog
API. Messages and completions do not go through it; see `wire`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient
from yarl import URL

from vertexkit.botone.certificates import tls_context
from vertexkit.botone.connecting import describe_failure
from vertexkit.botone.proxies import Proxies
from vertexkit.errors import SettingsError
from vertexkit.telemetry import tracing

HttpClient = httpx.AsyncClient
HttpRequest = httpx.Request
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

    Requests go through the proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
    except for the hosts in `NO_PROXY`), as those to the platform do; with the option `proxy`
    through that one, with `trust_env=False` directly. Certificates are verified as for requests to
    the platform; the option `verify` changes that.

    In a test with `fake_dialog` or `fake_platform`, respx and pytest-httpx can mock it, and a
    request that nothing mocks is refused.

    Args:
        **options: the options of `httpx.AsyncClient`: `base_url`, `headers`, `auth`, `timeout`
            (by default 10 s for each step and 5 s to connect), `limits` (by default 100
            connections) and others.

    Returns:
        The client, an async context manager. Its requests raise `httpx.HTTPError`.
    """
    options.setdefault("timeout", DEFAULT_TIMEOUT)
    options.setdefault("limits", DEFAULT_LIMITS)
    if options.setdefault("verify", True) is True:
        options["verify"] = tls_context()
    return _TracingClient(**options)


def asgi_client(app: Any) -> httpx.AsyncClient:
    """Create a client whose requests an ASGI app in this process handles; for tests."""
    return httpx.AsyncClient(transport=_AsgiTransport(app=app))


@contextmanager
def mockable_requests(check: Callable[[httpx.Request], object]) -> Iterator[None]:
    """Let tools that mock httpx's own transport mock `http_client` too; for tests.

    Inside this context, each request goes through httpx's transport first, as far as its connection
    would be opened. What no mock has answered by then is sent as usual.

    Args:
        check: called with a request that no mock has answered; raises if it must not be sent.
    """
    _Transport.mocks = _Mocks(check)
    try:
        yield
    finally:
        _Transport.mocks = None


class _AsgiTransport(httpx.ASGITransport):
    """Raises for a connection that the app breaks what httpx raises for a broken socket."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except ConnectionError as error:
            raise httpx.ReadError(str(error), request=request) from error


class _TracingClient(HttpxAiohttpClient):
    """Adds the current span to each request, and finds proxies as the rest of vertexkit does."""

    def __init__(self, *, proxy: Any = None, trust_env: bool = True, **options: Any) -> None:
        self._has_proxy = proxy is not None
        self._trusts_environment = trust_env
        # httpx has rules of its own for NO_PROXY: without `trust_env` it does not apply them.
        super().__init__(proxy=proxy, trust_env=False, **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        tracing.inject(request.headers)
        return await super().send(request, **options)

    def _init_transport(self, **options: Any) -> httpx.AsyncBaseTransport:  # pyrefly: ignore[bad-override]
        if (transport := options.pop("transport", None)) is not None:
            return cast(httpx.AsyncBaseTransport, transport)
        follows = self._trusts_environment and not self._has_proxy
        proxies = Proxies.from_environment() if follows else None
        return _Transport(proxies, **options | {"trust_env": self._trusts_environment})

    def _init_proxy_transport(self, proxy: httpx.Proxy, **options: Any) -> httpx.AsyncBaseTransport:  # pyrefly: ignore[bad-override]
        options["proxy"] = _with_login_in_url(proxy)
        return _Transport(**options | {"trust_env": self._trusts_environment})


class _Transport(AiohttpTransport):
    """Finds the proxy of each request, and raises the exceptions that httpx's own transport raises.

    The base class raises `ConnectTimeout` for any broken connection, from which an author would
    conclude that nothing was sent, and lets aiohttp's exception for an invalid response through.

    Args:
        proxies: of the environment; None: all requests go the same way.
        **options: of the base class.
    """

    mocks: ClassVar["_Mocks | None"] = None
    """Set during a test, for all clients: also for one that was created with its module."""

    def __init__(self, proxies: Proxies | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._proxies = proxies
        self._options = options
        self._proxied: dict[URL, _Transport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.mocks is not None and (mocked := await self.mocks.response(request)) is not None:
            return mocked
        if (proxy := self._find_proxy(request)) is not None:
            return await self._through(proxy).send(request)
        return await self.send(request)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request that is not mocked, through this transport's own proxy if it has one."""
        try:
            response = await super().handle_async_request(request)
        except aiohttp.ClientError as error:
            raise _to_httpx(error.__cause__ or error, request) from error
        except httpx.TransportError as error:
            if error.__cause__ is None or isinstance(error.__cause__, TimeoutError):
                raise
            raise _to_httpx(error.__cause__, request) from error
        response.stream = _Stream(response.stream, request)
        return response

    def _find_proxy(self, request: httpx.Request) -> URL | None:
        try:
            return self._proxies.find(str(request.url)) if self._proxies is not None else None
        except SettingsError as error:
            raise httpx.ProxyError(str(error), request=request) from error

    def _through(self, proxy: URL) -> "_Transport":
        if proxy not in self._proxied:
            through = _with_login_in_url(httpx.Proxy(str(proxy)))
            self._proxied[proxy] = _Transport(**self._options, proxy=through)
        return self._proxied[proxy]

    async def aclose(self) -> None:
        for transport in self._proxied.values():
            await transport.aclose()
        await super().aclose()


class _NotMocked(Exception):
    """A request has reached the opening of its connection."""


class _Mocks:
    """What respx, pytest-httpx and similar tools answer; see `mockable_requests`."""

    def __init__(self, check: Callable[[httpx.Request], object]) -> None:
        self._check = check
        self._transport = httpx.AsyncHTTPTransport(verify=False)

    async def response(self, request: httpx.Request) -> httpx.Response | None:
        """Return the response of a mock, or None if there is none and the request may be sent."""
        if not isinstance(request.stream, httpx.ByteStream):
            request.stream = _RepeatableBody(request.stream)
        extensions = request.extensions
        request.extensions = {**extensions, "trace": _stop_before_connection}
        try:
            return await self._transport.handle_async_request(request)
        except _NotMocked:
            pass  # and checked outside of `except`, which would add this error to the check's
        finally:
            request.extensions = extensions
        self._check(request)
        return None


class _RepeatableBody(httpx.AsyncByteStream):
    """A body that can be sent after a mock has read it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._chunks: list[bytes] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._chunks is None:
            self._chunks = [chunk async for chunk in self._stream]
        for chunk in self._chunks:
            yield chunk


async def _stop_before_connection(event: str, _: Any) -> None:
    """Handle an event of httpx's own transport."""
    if event.startswith("connection.connect_"):
        raise _NotMocked


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


def _with_login_in_url(proxy: httpx.Proxy) -> httpx.Proxy:
    """Move the login to where aiohttp reads it: the base class passes a deprecated object."""
    if proxy.auth is not None:
        username, password = proxy.auth
        proxy.url = proxy.url.copy_with(username=username, password=password)
        proxy.auth = None
    return proxy


def _to_httpx(error: BaseException, request: httpx.Request) -> httpx.TransportError:
    """Return httpx's exception for one of aiohttp."""
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            kind: type[httpx.TransportError] = httpx.ProxyError
        case aiohttp.ClientConnectorError():
            kind = httpx.ConnectError
        case OSError():
            kind = httpx.ReadError
        case _:
            kind = httpx.RemoteProtocolError
    return kind(describe_failure(error), request=request)
