"""Requests to the dialog API (methods 1 to 13): authentication, retries and errors.

The methods themselves are in `dialogs`. `send_message` and `complete` do not use this module; see
`vertex` and `wire`.
"""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import from_json

from vertexkit.botone.failures import (
    MAX_ERROR_BODY_BYTES,
    from_http_error,
    from_incomplete_response,
    from_invalid_body,
    from_response,
)
from vertexkit.botone.headers import dialog_headers
from vertexkit.botone.hints import notes_for
from vertexkit.botone.http_client import HttpClient, HttpError, HttpResponse, http_client
from vertexkit.botone.response import Response
from vertexkit.botone.retries import MAX_ATTEMPTS, backoff, may_retry
from vertexkit.clock import Clock
from vertexkit.errors import (
    Fate,
    PlatformError,
    SendOutcomeUnknown,
    SettingsError,
    UnexpectedResponse,
)
from vertexkit.text import encodable

T = TypeVar("T")
Parser = Callable[[bytes], T]
"""Builds a value from the body of a response with status 2xx."""
MAX_JSON_BYTES = 64 * 1024 * 1024
"""Bytes of a response's JSON: a page of a thousand dialogs needs about one hundredth of it."""


VERSION_PATH = re.compile(r"/v\d+$")
"""The end of a URL that goes too far: the client adds the version itself."""


def _ignore(_: bytes) -> Any:
    return None


class DialogRequests:
    """Sends requests to the dialog API as one user of the platform.

    Args:
        url: the base URL of the platform's API: `https://demo.bot.one/api`.
        login: the user's email.
        password: the user's password.
        client: an HTTP client to use; it is not closed. By default one is created and closed.
        timeout: seconds for a request, from connecting to the response's last byte; for a file,
            seconds for each read.
        clock: measures the pauses before retries; real time by default.

    Raises:
        SettingsError: the URL or the login is invalid.
    """

    def __init__(
        self,
        url: str,
        login: str,
        password: str | SecretStr,
        *,
        client: HttpClient | None = None,
        timeout: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        _check_url(url)
        if not login or ":" in login:
            raise SettingsError("the login must be an email and must not contain a colon")
        plain = password.get_secret_value() if isinstance(password, SecretStr) else password
        self._url = url.rstrip("/")
        self._credentials = b64encode(f"{login}:{plain}".encode()).decode()
        self._secrets = tuple(secret for secret in (self._credentials, plain) if secret)
        self._shared_client, self._client = client, client
        self._timeout = timeout
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"<DialogRequests {self._url}>"

    def url_of(self, path: str) -> str:
        """Return the URL of a path below the platform's base URL."""
        return self._url + path

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, self._shared_client
        if client is not None and client is not self._shared_client:
            await client.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        idempotent: bool,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        parse: Parser[T] = _ignore,
    ) -> T:
        """Send a request, read the whole response and parse it.

        Args:
            method: the HTTP method.
            path: the path below the platform's base URL.
            idempotent: whether sending the request twice has the same effect as sending it once;
                see `may_retry`.
            query: query parameters; one whose value is None is left out.
            body: the JSON object to send.
            parse: builds the result from the body of a response with status 2xx; see `parsed_as`.

        Returns:
            What `parse` returned.

        Raises:
            PlatformError: one class for each cause; see `vertexkit.errors`.
        """
        failures = 0
        while True:
            try:
                async with (
                    asyncio.timeout(self._timeout),
                    self._open(method, path, query=query, body=body) as reply,
                ):
                    content = await _read_json(method, path, reply)
                return _parsed(method, path, Response(reply.status_code, content), parse)
            except TimeoutError:
                error: PlatformError = SendOutcomeUnknown(
                    method, path, reason=f"no response within {self._timeout:g} s"
                )
            except HttpError as http_error:
                error = from_incomplete_response(method, path, http_error)
            except PlatformError as platform_error:
                error = platform_error
            failures += 1
            await self.pause_before_retry(failures, error, idempotent=idempotent)

    async def pause_before_retry(
        self, failures: int, error: PlatformError, *, idempotent: bool
    ) -> None:
        """Wait before the next attempt, or raise the error if there is none.

        Args:
            failures: failed attempts in a row, at least 1.
            error: the last failure.
            idempotent: as in `send`.

        Raises:
            PlatformError: the request must not be retried, or all attempts failed.
        """
        if failures == MAX_ATTEMPTS or not may_retry(error, idempotent=idempotent):
            raise error
        await self._clock.sleep(backoff(failures, error.retry_after))

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[HttpResponse]:
        """GET something large, without retries.

        Args:
            path: the path below the platform's base URL.
            headers: further headers of the request.

        Yields:
            The response, whose body is read by the caller.

        Raises:
            PlatformError: as `send`. A failure while the body is read is an `HttpError`.
        """
        async with self._open("GET", path, streamed_with=headers or {}) as reply:
            yield reply

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        streamed_with: Mapping[str, str] | None = None,
    ) -> AsyncIterator[HttpResponse]:
        if self._client is None:
            self._client = http_client(timeout=self._timeout)
        request = self._client.build_request(
            method,
            self.url_of(path),
            params={name: value for name, value in (query or {}).items() if value is not None},
            json=body,
            headers=dialog_headers(self._credentials, compressed=streamed_with is None)
            | dict(streamed_with or {}),
        )
        try:
            reply = await self._client.send(request, stream=True, follow_redirects=False)
        except HttpError as error:
            raise from_http_error(method, path, error) from error
        try:
            if not reply.is_success:
                failure = from_response(method, path, await _read_failure(reply), *self._secrets)
                for note in notes_for(failure, self._url, reply.headers.get("location")):
                    failure.add_note(note)
                raise failure
            yield reply
        finally:
            await reply.aclose()


def parsed_as(read: Callable[[Any], T]) -> Parser[T]:
    """Return a parser for `DialogRequests.send` that decodes the JSON of a response.

    Args:
        read: builds the value from the decoded JSON; raises `ValueError` or `TypeError` if it is
            not what the platform documents.
    """
    return lambda body: read(decode_json(body))


def decode_json(body: bytes) -> Any:
    """Decode JSON; half of a character, which a cut text leaves behind, becomes U+FFFD.

    Raises:
        NotJson: the body is not JSON.
    """
    try:
        return from_json(body)
    except ValueError:
        try:
            return encodable(json.loads(body.decode("utf-8-sig", "replace")))
        except (ValueError, RecursionError) as error:
            raise NotJson(str(error)) from None


class NotJson(ValueError):
    """A response with status 2xx is not JSON: it may be an error page, and not the platform's."""


def _parsed(method: str, path: str, response: Response, parse: Parser[T]) -> T:
    try:
        return parse(response.body)
    except (ValueError, TypeError, RecursionError, OverflowError) as problem:
        error = from_invalid_body(method, path, response, problem)
        if isinstance(problem, NotJson):  # perhaps not the platform's: a GET is worth another try
            error.fate = Fate.UNKNOWN
        raise error from None


def _check_url(url: str) -> None:
    example = "for example https://demo.bot.one/api"
    if url != url.strip():
        raise SettingsError(f"the platform's URL must not start or end with a space, got {url!r}")
    if "{" in url:
        raise SettingsError(
            "the platform's URL must name one instance here, without {instance}, " + example
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            "the platform's URL must start with https:// or http:// and contain a host name, "
            + example
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(
            "the platform's URL must not contain a login, `?` or `#`; pass the login and the "
            "password as separate arguments"
        )
    if VERSION_PATH.search(parts.path.rstrip("/")):
        raise SettingsError(
            f"the platform's URL must end before the version of the API, {example}, got {url!r}"
        )


async def _read_json(method: str, path: str, reply: HttpResponse) -> bytes:
    body = bytearray()
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise UnexpectedResponse(
                method,
                path,
                status=reply.status_code,
                reason=f"the response's body is larger than {MAX_JSON_BYTES:,} bytes",
            )
    return bytes(body)


async def _read_failure(reply: HttpResponse) -> Response:
    """Read the beginning of an error's body, even if the connection is lost in its middle."""
    body = bytearray()
    with suppress(HttpError):
        async for chunk in reply.aiter_bytes():
            body += chunk
            if len(body) > MAX_ERROR_BODY_BYTES:
                break
    content = bytes(body[:MAX_ERROR_BODY_BYTES])
    return Response(reply.status_code, content, reply.headers.get("retry-after"))
