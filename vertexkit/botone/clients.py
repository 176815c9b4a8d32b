"""The clients of the dialog API that a service has: one for each instance."""

from vertexkit.botone.client import BotOne
from vertexkit.botone.http import Client
from vertexkit.botone.vertex import Address
from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.settings import PlatformSettings
from vertexkit.token import Token


class Bots:
    """Made when they are first asked for.

    Args:
        address: of the platform.
        settings: of the platform: login and password, the same for each instance.
        clock: for the pauses.
        client: instead of own ones, for tests.
    """

    def __init__(
        self,
        address: Address,
        settings: PlatformSettings,
        clock: Clock,
        client: Client | None = None,
    ) -> None:
        self._address = address
        self._login, self._password = settings.login, settings.password
        self._clock, self._client = clock, client
        self._made: dict[str, BotOne] = {}

    def of(self, token: Token) -> BotOne:
        """The client for the instance of this token.

        Raises:
            SettingsError: login or password are not set.
        """
        base = self._address.base(token)
        if base not in self._made:
            if not self._login or not self._password.get_secret_value():
                raise SettingsError(
                    "ctx.dialog asks the platform as one of its users: set VERTEXKIT_LOGIN and "
                    "VERTEXKIT_PASSWORD"
                )
            self._made[base] = BotOne(
                base, self._login, self._password, client=self._client, clock=self._clock
            )
        return self._made[base]

    async def close(self) -> None:
        """Let go of the connections."""
        for bot in self._made.values():
            await bot.close()
