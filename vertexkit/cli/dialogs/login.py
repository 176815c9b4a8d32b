"""The platform's address and the user's login, from the settings or from prompts."""

import asyncio
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from vertexkit.botone.client import BotOne
from vertexkit.cli.translation import translate
from vertexkit.errors import (
    IncompleteListWarning,
    NotFound,
    PlatformError,
    PlatformUnreachable,
    SettingsError,
)
from vertexkit.settings import INSTANCE, Settings
from vertexkit.system.garbage_collector import tune_garbage_collector

HINTS: dict[type[PlatformError], str] = {
    NotFound: "Check the ID of the dialog or bot",
    PlatformUnreachable: (
        "Check VERTEXKIT_PLATFORM_URL and this machine's outbound network (proxy, firewall, DNS)"
    ),
}
"""What to check after a failed request, by the type of the error."""

T = TypeVar("T")


def account() -> dict[str, str]:
    """The platform and the user that the settings name, for comparison."""
    platform = Settings.load().platform
    return {"url": platform.url.rstrip("/"), "login": platform.login}


def run_with_bot(work: Callable[[BotOne], Awaitable[T]]) -> T:
    """Run a coroutine with a client that is logged in to the platform.

    The password is never an option of a command, because other users of the machine can read
    the arguments of a process.

    Args:
        work: Called with the client.

    Returns:
        The result of `work`.

    Raises:
        SettingsError: The address or the login is missing.
        PlatformError: A request failed. A note says what to check.
    """
    settings = Settings.load()
    url, login, password = _credentials(settings)

    async def run() -> T:
        tune_garbage_collector()
        async with BotOne(url, login, password) as bot:
            return await work(bot)

    try:
        with warnings.catch_warnings():
            # The commands print `Conversations.problems` themselves.
            warnings.simplefilter("ignore", IncompleteListWarning)
            return asyncio.run(run())
    except PlatformError as error:
        for kind, hint in HINTS.items():
            if isinstance(error, kind):
                error.add_note(hint)
        raise


def _credentials(settings: Settings) -> tuple[str, str, str]:
    """The address, the login and the password."""
    url = settings.platform.url
    example = "the address of your platform's API, for example https://demo.bot.one/api"
    if not url:
        raise SettingsError(
            f"VERTEXKIT_PLATFORM_URL is not set. Set it to {example}. To try the commands without "
            "a platform, run vertexkit platform"
        )
    if INSTANCE in url:
        raise SettingsError(
            f"VERTEXKIT_PLATFORM_URL contains {INSTANCE}, but this command needs a single platform. "
            f"Set it to {example}"
        )
    login, password = settings.platform.login, settings.platform.password.get_secret_value()
    if (not login or not password) and not sys.stdin.isatty():
        raise SettingsError(
            "the platform requires a login. Set VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD in the "
            "environment, in .env or in /run/secrets, or run the command in a terminal, which "
            "prompts for them"
        )
    login = login or typer.prompt(translate("Login for {0}", url), err=True)
    return url, login, password or typer.prompt("Password", hide_input=True, err=True)
