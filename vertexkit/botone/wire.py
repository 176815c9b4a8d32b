"""The wire to the platform: bytes out, an answer or a classed failure back."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from vertexkit.clock import Clock
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown

ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer that are read; the rest is left."""
CONNECT_TIMEOUT = 5.0
CONNECT_SHARE = 0.9
"""Of a short request's time: the connection is given up before the request is, so that one that
was never made is told from an answer that is late."""
LARGE = 1024 * 1024
"""Bytes of a body that is sent piece by piece: aiohttp warns of larger ones sent at once."""
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than servers keep theirs, so that a request
seldom meets a connection that is just being closed."""
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # answers are short, and are never unpacked here
}

AsgiApp: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over the wire."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    """The header `Retry-After` as it came."""


class Wire(Protocol):
    """Posts JSON to the platform. One request, at most once: never repeated, never redirected."""

    async def post(self, url: str, body: bytes, timeout: float) -> Answer:
        """Post a body and read the answer.

        An answer whose status arrived is an `Answer`, even if its body broke off.

        Args:
            url: the whole address.
            body: JSON.
            timeout: seconds for everything, from connecting to the answer's last byte; above 0.

        Raises:
            PlatformUnreachable: not a byte of the request was sent.
            SendOutcomeUnknown: no answer; the request may have been carried out.
        """

    async def close(self) -> None:
        """Let go of the connections."""


class AiohttpWire:
    """The wire over real sockets: one aiohttp session, with as many connections as are asked for.

    How many that may be at once is not decided here: the connector's own queue of waiters costs
    half as much again as a request once it is long.
    """

    def __init__(self) -> None:
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, timeout: float) -> Answer:
        target = self._urls.get(url) or self._urls.setdefault(url, _aim(url))
        connect = min(CONNECT_TIMEOUT, timeout * CONNECT_SHARE)
        limits = aiohttp.ClientTimeout(total=timeout, connect=connect)
        data = body if len(body) <= LARGE else BytesIO(body)
        answer: Answer | None = None
        try:
            async with self._session.post(
                target, data=data, allow_redirects=False, timeout=limits
            ) as reply:
                answer = Answer(reply.status, b"", reply.headers.get("Retry-After"))
                read = await self._read(reply)
                return Answer(answer.status, read, answer.retry_after)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            failure: Exception = PlatformUnreachable("POST", target.path, reason="no connection")
        except TimeoutError:
            failure = SendOutcomeUnknown("POST", target.path, reason="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError):
            failure = SendOutcomeUnknown("POST", target.path, reason="the connection broke")
        if answer is not None:
            return answer
        # Not `from`: the library's error holds the request, and so the token.
        raise failure from None

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        length = reply.content_length
        if length is not None and length <= ANSWER_LIMIT:
            return await reply.read()
        body = b""
        async for chunk in reply.content.iter_any():
            body += chunk
            if len(body) > ANSWER_LIMIT:
                reply.close()
                break
        return body[:ANSWER_LIMIT]

    async def close(self) -> None:
        await self._session.close()


def _aim(url: str) -> URL:
    """Read an address; one that no request can be sent to is as unreachable as one that is off."""
    try:
        target = URL(url)
        if target.scheme in {"http", "https"} and (target.host or "").encode("idna"):
            return target
    except ValueError:
        pass
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    raise PlatformUnreachable("POST", path, reason="no such address")


class AsgiWire:
    """The wire to an ASGI app in this process, for tests: no socket.

    A failure inside the app counts as a connection that broke off: before the answer began it is
    `SendOutcomeUnknown`, after that the answer's body is what had come.

    Args:
        app: the platform.
        clock: whose seconds a timeout counts.
    """

    def __init__(self, app: AsgiApp, clock: Clock | None = None) -> None:
        self._app = app
        self._clock = clock or Clock()

    async def post(self, url: str, body: bytes, timeout: float) -> Answer:
        address = urlsplit(url)
        status: int | None = None
        retry_after: str | None = None
        read = b""
        done = False
        arrived = asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal done
            if done:
                await arrived.wait()
                return {"type": "http.disconnect"}
            done = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, retry_after, read
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {k.lower(): v for k, v in message.get("headers", [])}
                given = headers.get(b"retry-after")
                retry_after = given.decode("latin-1") if given is not None else None
            elif message["type"] == "http.response.body":
                read += message.get("body", b"")

        try:
            async with asyncio.timeout(None) as limit:
                timer = self._clock.timer(timeout, lambda: limit.reschedule(0.0))
                try:
                    await self._app(_scope(address.path, address.query, body), receive, send)
                finally:
                    timer.cancel()
        except TimeoutError:
            reason = "no answer in time"
        except Exception:  # noqa: BLE001 - whatever it was, the caller of a socket sees it break
            reason = "the connection broke"
        else:
            reason = "no answer"
        if status is None:
            raise SendOutcomeUnknown("POST", address.path, reason=reason) from None
        return Answer(status, read[:ANSWER_LIMIT], retry_after)

    async def close(self) -> None:
        return None


def _scope(path: str, query: str, body: bytes) -> dict[str, Any]:
    headers = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
    headers |= {b"host": b"platform.test", b"content-length": str(len(body)).encode()}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers.items()),
        "client": ("127.0.0.1", 0),
        "server": ("platform.test", 80),
    }
