"""The two methods of the platform that a running block has."""

from collections.abc import Callable
from typing import Any

from pydantic_core import from_json, to_json

from vertexkit.botone.failures import pause, translate
from vertexkit.botone.limiter import Limiter
from vertexkit.botone.models import Message
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.errors import CallError, Fate, PlatformError, PlatformUnreachable
from vertexkit.settings import PlatformSettings
from vertexkit.telemetry import tracing
from vertexkit.token import Token

SEND_MESSAGE = "/vertex/v1/dialog/send_message"
COMPLETE = "/vertex/v1/complete"
INSTANCE = "{instance}"


class Address:
    """Where the platform is: one URL, or one for each allowed instance.

    Args:
        template: `https://demo.bot.one/api`, or with `{instance}` for the host's first label.
        instances: what may be filled in. A token's claims only choose among these.
    """

    def __init__(self, template: str, instances: tuple[str, ...] = ()) -> None:
        self._only = None if INSTANCE in template else template.rstrip("/")
        self._bases = {name: template.replace(INSTANCE, name).rstrip("/") for name in instances}

    def base(self, token: Token) -> str:
        """The base URL for this token's dialog.

        Raises:
            CallError: 422, its instance is none of those allowed.
        """
        if self._only is not None:
            return self._only
        claims = token.claims
        base = self._bases.get(claims.instance or "") if claims is not None else None
        if base is None:
            raise CallError(
                422,
                "unknown_instance",
                "The token's instance is not listed in VERTEXKIT_INSTANCES.",
            )
        return base


class Vertex:
    """Sends messages into dialogs and completes blocks.

    Args:
        wire: takes the bytes.
        address: of the platform.
        clock: for the pauses.
        settings: of the platform: the number of concurrent requests, the timeout of each.
    """

    def __init__(
        self, wire: Wire, address: Address, clock: Clock, settings: PlatformSettings
    ) -> None:
        self.address = address
        self.limiter = Limiter(settings.connections)
        self._wire = wire
        self._clock = clock
        self._timeout = settings.send_timeout

    async def send_message(
        self,
        token: Token,
        text: str,
        typing: bool,
        until: float,
        on_pause: Callable[[PlatformError, float], None] = lambda *_: None,
    ) -> Message:
        """POST /vertex/v1/dialog/send_message, again while that is safe.

        It is tried again only after a failure that cannot have sent it: nothing left this
        machine, or the platform asked to come back.

        Args:
            token: of the dialog.
            text: 1 character or more.
            typing: whether the bot is shown typing.
            until: on the clock; no try begins after it.
            on_pause: told of each failure that is tried again, and of the seconds of the pause.

        Raises:
            PlatformError: of the last try; its `fate` tells whether it may have been sent.
        """
        body = to_json({"token": token.reveal(), "text": text, "typing": typing})
        failures = 0
        while True:
            try:
                return _message(await self._post(token, SEND_MESSAGE, body))
            except PlatformError as error:
                if error.fate not in (Fate.NOT_SENT, Fate.REFUSED):
                    raise
                failures += 1
                wait = pause(failures, error.retry_after)
                if self._clock.now() + wait >= until:
                    raise
                on_pause(error, wait)
            await self._clock.sleep(wait)

    async def complete(self, token: Token, data: bytes) -> None:
        """POST /vertex/v1/complete, once.

        Args:
            token: of the execution.
            data: JSON; equal data make an equal body to the byte.

        Raises:
            PlatformError: it was not confirmed.
        """
        body = b'{"token":%b,"data":%b}' % (to_json(token.reveal()), data)
        await self._post(token, COMPLETE, body)

    async def _post(self, token: Token, path: str, body: bytes) -> bytes:
        url = self.address.base(token) + path
        try:
            left = self._timeout - await self.limiter.take(self._timeout)
        except TimeoutError:
            raise _crowded(path) from None
        try:
            if left <= 0:
                raise _crowded(path)
            with tracing.span("POST", path, "client", path=path):
                answer = await self._wire.post(url, body, left)
                tracing.note(status=answer.status)
        finally:
            self.limiter.give_back()
        if 200 <= answer.status < 300:
            return answer.body
        raise translate("POST", path, answer, token.reveal())


def _crowded(path: str) -> PlatformUnreachable:
    return PlatformUnreachable("POST", path, reason="no connection was free in time")


def _message(body: bytes) -> Message:
    """A 2xx means that it was sent, even where its body cannot be read."""
    try:
        answer: Any = from_json(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return Message(None, None)
    message_id, created_at = answer.get("message_id"), answer.get("created_at")
    return Message(
        message_id if type(message_id) is int else None,
        created_at if type(created_at) is int else None,
    )
