"""`BotOne`, the client of the platform's dialog API (methods 1 to 13)."""

from typing import Self

from pydantic import SecretStr

from vertexkit.botone.dialog_requests import DialogRequests
from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.http_client import HttpClient
from vertexkit.botone.sync import SyncBotOne
from vertexkit.clock import Clock


class BotOne:
    """The client of the platform's dialog API, for one user of the platform.

        async with BotOne("https://demo.bot.one/api", login, password) as bot:
            async for dialog in bot.v2.conversations(bot_id=1446):
                print(dialog.name, dialog.status)

    A request that only reads is sent up to five times if there was no connection or no response,
    or if the status was 408, 429 or 5xx. Other requests are retried only if the platform has not
    processed them. `Retry-After` is honoured.

    Args:
        url: the base URL of the platform's API: `https://demo.bot.one/api`.
        login: the user's email.
        password: the user's password.
        client: an `httpx.AsyncClient` to use; it is not closed. By default one is created and
            closed.
        timeout: seconds for a request; for a file, seconds for each read.
        clock: measures the pauses before retries; real time by default.

    Attributes:
        v1: version 1 of the API, where a dialog's id is a number: 4 methods.
        v2: version 2, which the platform recommends, where a dialog's id is a UUID: 9 methods.

    Raises:
        SettingsError: the URL or the login is invalid.
        PlatformError: raised by every method, with `method`, `path`, `status` and `body`, and
            without the login and the password: `BadRequest` (400), `Unauthorized` (401),
            `Forbidden` (403), `NotFound` (404), `RateLimited` (429), `ServerError` (5xx),
            `UnexpectedResponse` (a response that the platform does not document),
            `PlatformUnreachable` (no connection), `SendOutcomeUnknown` (no response).
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
        self._requests = DialogRequests(
            url, login, password, client=client, timeout=timeout, clock=clock
        )
        self.v1: V1 = V1(self._requests)
        self.v2: V2 = V2(self._requests)

    def __repr__(self) -> str:
        return f"BotOne({self._requests!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._requests.close()

    @classmethod
    def sync(
        cls, url: str, login: str, password: str | SecretStr, *, timeout: float = 60.0
    ) -> SyncBotOne:
        """Create a blocking client, for scripts without an event loop.

            with BotOne.sync("https://demo.bot.one/api", login, password) as bot:
                for dialog in bot.v2.conversations(bot_id=1446):
                    print(dialog.name, dialog.status)

        Args:
            url: as for `BotOne`.
            login: as for `BotOne`.
            password: as for `BotOne`.
            timeout: as for `BotOne`.

        Returns:
            A context manager with the same methods and errors; `for` replaces `async for`.

        Raises:
            SettingsError: the URL or the login is invalid.
        """
        bot = cls(url, login, password, timeout=timeout)
        return SyncBotOne(bot.v1, bot.v2, bot.close)
