"""The client of the platform's dialog API: methods 1 to 13."""

from typing import Self

from pydantic import SecretStr

from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.http import Client
from vertexkit.botone.session import Session
from vertexkit.botone.sync import SyncBotOne
from vertexkit.clock import Clock


class BotOne:
    """The dialogs of the platform, for one of its users.

        async with BotOne("https://demo.bot.one/api", login, password) as bot:
            async for dialog in bot.v2.conversations(bot_id=1446):
                print(dialog.name, dialog.status)

    Requests that change nothing are tried again, four times at most, when there was no connection
    or no answer, and after a 429 or 5xx; the others only where they surely were not carried out.
    `Retry-After` is waited for.

    Args:
        url: of the API: `https://demo.bot.one/api`.
        login: the user's email.
        password: the user's.
        client: an `httpx.AsyncClient` to use instead of an own one; it is not closed.
        timeout: seconds for a request; of a file, for each wait.
        clock: for the pauses; real time by default.

    Attributes:
        v1: version 1: dialogs are known by a number. 4 methods.
        v2: version 2, which the platform recommends: by a UUID. 9 methods.

    Raises:
        SettingsError: the address or the login cannot be.
        PlatformError: from every method: `BadRequest` (400), `Unauthorized` (401), `Forbidden`
            (403), `NotFound` (404), `RateLimited` (429), `ServerError` (5xx), `UnexpectedAnswer`,
            `PlatformUnreachable`, `SendOutcomeUnknown` (no answer). Each has `method`, `path`,
            `status` and `body`, and none the login or the password.
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
        self._session = Session(url, login, password, client=client, timeout=timeout, clock=clock)
        self.v1 = V1(self._session)
        self.v2 = V2(self._session)

    def __repr__(self) -> str:
        return f"BotOne({self._session!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    @classmethod
    def sync(
        cls, url: str, login: str, password: str | SecretStr, *, timeout: float = 60.0
    ) -> SyncBotOne:
        """The same for scripts without an event loop: `with BotOne.sync(...) as bot:`.

        The arguments and errors are those of `BotOne`; `for` takes the place of `async for`.
        """
        bot = cls(url, login, password, timeout=timeout)
        return SyncBotOne(bot.v1, bot.v2, bot.close)
