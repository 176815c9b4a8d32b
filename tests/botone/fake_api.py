"""The fake platform behind a server, and a client of it, for tests of methods 1 to 13."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.testing.platform_server import served
from vertexkit import BotOne
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.platform.ledger import Entry

PASSWORD = "hush-hush/пароль"


@asynccontextmanager
async def client_of(platform: FakePlatform) -> AsyncIterator[BotOne]:
    """Return a client whose pauses take no time."""
    async with (
        served(platform) as url,
        BotOne(f"{url}/api", "anna@example.com", PASSWORD, clock=VirtualClock()) as bot,
    ):
        yield bot


def platform_of(dialogs: int = 200) -> FakePlatform:
    """Return a strict, seeded platform, with a password that is easily found in texts."""
    return FakePlatform(seed=1, dialogs=dialogs, login="anna@example.com", password=PASSWORD)


def requested_methods(platform: FakePlatform) -> list[str]:
    """Return the names of the requested methods, in order."""
    return [entry.method for entry in platform.ledger]


def last_request(platform: FakePlatform) -> Entry:
    """Return the last request."""
    return platform.ledger[-1]
