"""A login at the platform's dialog API: requests, repeated where that is safe, and their errors."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import from_json

from vertexkit.botone.failures import pause, translate
from vertexkit.botone.http import NEVER_SENT, Client, HttpError, Reply, http_client
from vertexkit.botone.wire import Answer
from vertexkit.clock import Clock
from vertexkit.errors import (
    Fate,
    PlatformError,
    PlatformUnreachable,
    SendOutcomeUnknown,
    SettingsError,
    UnexpectedAnswer,
)

T = TypeVar("T")
TRIES = 5
"""Of a request that may be repeated."""
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes of an answer's JSON: a thousand dialogs need one hundredth of it."""
ERROR_LIMIT = 64 * 1024
"""Bytes of an error's answer that are read."""


class Session:
    """Asks for one user.

    Args:
        url: of the platform's API: `https://demo.bot.one/api`.
        login: the user's email.
        password: the user's.
        client: instead of an own one, which the session would close.
        timeout: seconds for a request, from connecting to the last byte of its answer. Of a file,
            for each wait.
        clock: for the pauses.

    Raises:
        SettingsError: the address or the login cannot be.
    """

    def __init__(
        self,
        url: str,
        login: str,
        password: str | SecretStr,
        *,
        client: Client | None = None,
        timeout: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "{" in parts.netloc:
            raise SettingsError(
                "the platform's address begins with https://, as in https://demo.bot.one/api"
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise SettingsError(
                "the platform's address has no login, no `?` and no `#`: give login and password "
                "of their own"
            )
        if not login or ":" in login:
            raise SettingsError("the login is an email, and has no colon")
        plain = password.get_secret_value() if isinstance(password, SecretStr) else password
        self._url = url.rstrip("/")
        self._basic = b64encode(f"{login}:{plain}".encode()).decode()
        self._secrets = tuple(each for each in (self._basic, plain) if each)
        self._given, self._client = client, client
        self._timeout = timeout
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"<Session {self._url}>"

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, self._given
        if client is not None and client is not self._given:
            await client.aclose()

    async def ask(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        safe: bool,
    ) -> Answer:
        """Ask, and read the answer.

        Args:
            verb: the HTTP method.
            path: under the platform's address.
            query: parameters; None leaves one out.
            body: members of the JSON that is sent.
            safe: asking twice does no more than asking once. What is not safe is asked again only
                where it surely was not done.

        Raises:
            PlatformError: one class for each cause; see `vertexkit.errors`.
        """
        failures = 0
        while True:
            try:
                async with (
                    asyncio.timeout(self._timeout),
                    self._asking(verb, path, query=query, body=body) as reply,
                ):
                    return Answer(reply.status_code, await _read(reply, ANSWER_LIMIT))
            except TimeoutError:
                failure: PlatformError = SendOutcomeUnknown(
                    verb, path, reason=f"no answer within {self._timeout:g} s"
                )
            except HttpError as error:
                failure = SendOutcomeUnknown(verb, path, reason=f"it broke off: {_said(error)}")
            except PlatformError as error:
                failure = error
            failures += 1
            if failures == TRIES or not may_repeat(failure, safe):
                raise failure
            await self._clock.sleep(pause(failures, failure.retry_after))

    @asynccontextmanager
    async def streamed(self, path: str) -> AsyncIterator[Reply]:
        """GET something large, once: the answer without its body, to be read bit by bit.

        Raises:
            PlatformError: as `ask`; what fails while the body is read is an `HttpError`.
        """
        async with self._asking("GET", path, headers={"Accept-Encoding": "identity"}) as reply:
            yield reply

    async def pause(self, failures: int, failure: PlatformError) -> None:
        """Wait, before what failed so often in a row is tried again."""
        await self._clock.sleep(pause(failures, failure.retry_after))

    @asynccontextmanager
    async def _asking(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Reply]:
        if self._client is None:
            self._client = http_client(timeout=self._timeout)
        request = self._client.build_request(
            verb,
            self._url + path,
            params={key: value for key, value in (query or {}).items() if value is not None},
            json=body,
            headers={"Authorization": f"Basic {self._basic}", **(headers or {})},
        )
        try:
            reply = await self._client.send(request, stream=True, follow_redirects=False)
        except NEVER_SENT as error:
            raise PlatformUnreachable(
                verb, path, reason=f"no connection: {_said(error)}"
            ) from error
        except HttpError as error:
            raise SendOutcomeUnknown(verb, path, reason=f"no answer: {_said(error)}") from error
        try:
            if not reply.is_success:
                said = Answer(
                    reply.status_code,
                    await _read(reply, ERROR_LIMIT, whole=False),
                    reply.headers.get("retry-after"),
                )
                raise translate(verb, path, said, *self._secrets)
            yield reply
        finally:
            await reply.aclose()


def may_repeat(failure: PlatformError, safe: bool) -> bool:
    """Whether a request that failed so may be sent again."""
    harmless = {Fate.NOT_SENT, Fate.REFUSED} | ({Fate.UNKNOWN} if safe else set())
    return failure.fate in harmless


def understood(verb: str, path: str, answer: Answer, read: Any) -> Any:
    """The answer's JSON, as `read` makes it of it.

    Raises:
        UnexpectedAnswer: it is something else than the platform's document says.
    """
    try:
        return read(from_json(answer.body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        reason = str(error)
    raise UnexpectedAnswer(
        verb,
        path,
        status=answer.status,
        body=answer.body[:ERROR_LIMIT].decode(errors="replace"),
        reason=f"answered {answer.status} with what cannot be read ({reason})",
    )


async def _read(reply: Reply, limit: int, *, whole: bool = True) -> bytes:
    """The body; beyond the limit, an error if it is wanted whole."""
    body = bytearray()
    try:
        async for chunk in reply.aiter_bytes():
            body += chunk
            if len(body) > limit:
                break
    except HttpError:
        if whole:
            raise
    if whole and len(body) > limit:
        raise UnexpectedAnswer(
            reply.request.method,
            reply.request.url.path,
            status=reply.status_code,
            reason=f"answered {reply.status_code} with more than {limit:,} bytes",
        )
    return bytes(body[:limit])


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
