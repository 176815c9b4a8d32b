"""The two platform methods that a running block uses: `send_message` and `complete`."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from pydantic_core import from_json, to_json

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.failures import from_response
from vertexkit.botone.limiter import Limiter
from vertexkit.botone.models import Message
from vertexkit.botone.retries import backoff, may_retry
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.errors import PlatformError, PlatformUnreachable
from vertexkit.settings import PlatformSettings
from vertexkit.telemetry import tracing
from vertexkit.token import Token

SEND_MESSAGE_PATH = "/vertex/v1/dialog/send_message"
COMPLETE_PATH = "/vertex/v1/complete"
BeforeSend: TypeAlias = Callable[[], Awaitable[None]]
"""Raises an exception if the request must not be sent any more."""


class Vertex:
    """Sends messages to dialogs and completes blocks (methods 14 and 15).

    Args:
        wire: posts the requests.
        address: the platform's address.
        clock: measures the pauses before retries.
        settings: the number of requests in progress at the same time (`connections`), and the
            timeout of each, the wait for a free connection included (`send_timeout`).

    Attributes:
        address: the platform's address.
        limiter: the limit on requests in progress.
    """

    def __init__(
        self, wire: Wire, address: PlatformAddress, clock: Clock, settings: PlatformSettings
    ) -> None:
        self.address = address
        self.limiter: Limiter = Limiter(settings.connections)
        self._wire = wire
        self._clock = clock
        self._timeout = settings.send_timeout

    async def send_message(
        self,
        token: Token,
        text: str,
        typing: bool,
        deadline: float,
        on_retry: Callable[[PlatformError, float], None] | None = None,
        before_send: BeforeSend | None = None,
    ) -> Message:
        """Send a message (`POST /vertex/v1/dialog/send_message`).

        The request is retried only if the platform has not processed it: nothing was sent, or the
        platform asked to retry later.

        Args:
            token: the dialog's token.
            text: the message, at least 1 character.
            typing: whether the dialog shows the bot typing before the message.
            deadline: a time of the clock; no attempt starts after it.
            on_retry: called before each pause with the error and the pause's seconds.
            before_send: called before the first byte of each attempt.

        Returns:
            The platform's id and time of the message.

        Raises:
            PlatformError: the last attempt failed; `fate` says whether the message may have been
                sent.
            Exception: what `before_send` raises; nothing was sent by this attempt.
        """
        body = to_json({"token": token.reveal(), "text": text, "typing": typing})
        failures = 0
        while True:
            try:
                return _parse_message(await self._post(token, SEND_MESSAGE_PATH, body, before_send))
            except PlatformError as error:
                if not may_retry(error, idempotent=False):
                    raise
                failures += 1
                pause = backoff(failures, error.retry_after)
                if self._clock.now() + pause >= deadline:
                    raise
                if on_retry is not None:
                    on_retry(error, pause)
            await self._clock.sleep(pause)

    async def complete(
        self, token: Token, data: bytes, before_send: BeforeSend | None = None
    ) -> None:
        """Complete a block (`POST /vertex/v1/complete`). The request is sent once, not retried.

        Args:
            token: the execution's token.
            data: the result as JSON; the request's body holds these very bytes.
            before_send: called before the first byte.

        Raises:
            PlatformError: the platform did not confirm the completion.
            Exception: what `before_send` raises; nothing was sent.
        """
        body = b'{"token":%b,"data":%b}' % (to_json(token.reveal()), data)
        await self._post(token, COMPLETE_PATH, body, before_send)

    async def _post(
        self, token: Token, path: str, body: bytes, before_send: BeforeSend | None
    ) -> bytes:
        url = self.address.base_url(token) + path
        try:
            remaining = self._timeout - await self.limiter.acquire(self._timeout)
        except TimeoutError:
            raise _no_free_connection(path) from None
        try:
            if remaining <= 0:
                raise _no_free_connection(path)
            if before_send is not None:
                await before_send()
            with tracing.span("POST", path, "client", path=path):
                response = await self._wire.post(url, body, remaining)
                tracing.set_attributes(status=response.status)
        finally:
            self.limiter.release()
        if 200 <= response.status < 300:
            return response.body
        raise from_response("POST", path, response, token.reveal())


def could_not_be_sent_in_time(error: PlatformError) -> bool:
    """Check whether `Vertex.send_message` gave up because its deadline came before the next try.

    The platform asked to wait for longer, or could not be reached all the time.
    """
    return error.path == SEND_MESSAGE_PATH and may_retry(error, idempotent=False)


def _no_free_connection(path: str) -> PlatformUnreachable:
    return PlatformUnreachable("POST", path, reason="no connection was free in time")


def _parse_message(body: bytes) -> Message:
    """Parse the response to `send_message`.

    Status 2xx means that the message was sent, even if the body cannot be read.
    """
    try:
        content: Any = from_json(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return Message(None, None)
    message_id, created_at = content.get("message_id"), content.get("created_at")
    return Message(
        message_id if type(message_id) is int else None,
        created_at if type(created_at) is int else None,
    )
