"""The dialog API clients of a service: one `BotOne` for each instance of the platform.

The client itself is in `client.py`.
"""

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.client import BotOne
from vertexkit.botone.http_client import HttpClient
from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.settings import PlatformSettings
from vertexkit.token import Token


class InstanceClients:
    """Creates a `BotOne` for an instance on its first use and keeps it.

    Args:
        address: the platform's address.
        settings: the user's login and password, the same for each instance.
        clock: measures the pauses before retries.
        http_client: used instead of a client for each `BotOne`; tests pass one.
    """

    def __init__(
        self,
        address: PlatformAddress,
        settings: PlatformSettings,
        clock: Clock,
        http_client: HttpClient | None = None,
    ) -> None:
        self._address = address
        self._login, self._password = settings.login, settings.password
        self._clock, self._http_client = clock, http_client
        self._clients: dict[str, BotOne] = {}

    def for_token(self, token: Token) -> BotOne:
        """Return the client for the instance of this token.

        Raises:
            CallError: the token's instance is not allowed; see `PlatformAddress`.
            SettingsError: the login or the password is not set.
        """
        url = self._address.base_url(token)
        if url not in self._clients:
            if not self._login or not self._password.get_secret_value():
                raise SettingsError(
                    "ctx.dialog needs the login and the password of a platform user. Set "
                    "VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD."
                )
            self._clients[url] = BotOne(
                url, self._login, self._password, client=self._http_client, clock=self._clock
            )
        return self._clients[url]

    async def close(self) -> None:
        """Close the connections of all clients."""
        for client in self._clients.values():
            await client.close()
