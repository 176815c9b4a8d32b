"""The fake platform behind a server, and a client that asks it; for tests of methods 1 to 13."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.testing.platform_server import served
from vertexkit import BotOne
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.platform.ledger import Entry

PASSWORD = "hush-hush/пароль"


@asynccontextmanager
async def asking(platform: FakePlatform) -> AsyncIterator[BotOne]:
    """A client; its pauses take no time."""
    async with (
        served(platform) as url,
        BotOne(f"{url}/api", "anna@example.com", PASSWORD, clock=VirtualClock()) as bot,
    ):
        yield bot


def platform_of(dialogs: int = 200) -> FakePlatform:
    """Strict, seeded, with a password that would be seen wherever it came out."""
    return FakePlatform(seed=1, dialogs=dialogs, login="anna@example.com", password=PASSWORD)


def asked(platform: FakePlatform) -> list[str]:
    """The names of the methods that were asked, in order."""
    return [entry.method for entry in platform.ledger]


def last(platform: FakePlatform) -> Entry:
    """The last request."""
    return platform.ledger[-1]
