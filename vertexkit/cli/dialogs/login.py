"""Who asks the platform from the command line."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from vertexkit.botone.client import BotOne
from vertexkit.errors import SettingsError
from vertexkit.settings import INSTANCE, Settings

T = TypeVar("T")


def with_bot(work: Callable[[BotOne], Awaitable[T]]) -> T:
    """Do something at the platform, as the user of the settings or of a prompt.

    A password is no argument of any command: whoever lists processes would read it.

    Args:
        work: what to do.

    Raises:
        SettingsError: address or login are missing; names the mend.
    """
    settings = Settings.load()
    url, login, password = _known(settings)

    async def run() -> T:
        async with BotOne(url, login, password) as bot:
            return await work(bot)

    return asyncio.run(run())


def _known(settings: Settings) -> tuple[str, str, str]:
    if not settings.platform.url or INSTANCE in settings.platform.url:
        raise SettingsError(
            "VERTEXKIT_PLATFORM_URL says where the dialogs are, for example "
            "https://demo.bot.one/api; to try without a platform: vertexkit platform"
        )
    login, password = settings.platform.login, settings.platform.password.get_secret_value()
    if (not login or not password) and not sys.stdin.isatty():
        raise SettingsError(
            "the platform asks for a login: set VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD (in the "
            "environment, in .env or in /run/secrets), or run this in a terminal and be asked"
        )
    login = login or typer.prompt(f"Login at {settings.platform.url}", err=True)
    return (
        settings.platform.url,
        login,
        password or typer.prompt("Password", hide_input=True, err=True),
    )
