"""A list of dialogs behind a server with quirks, and its client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.botone.quirky_server import QuirkyServer, raw_dialog
from vertexkit import BotOne
from vertexkit.botone.http_client import asgi_client
from vertexkit.testing import VirtualClock


def quirky(count: int = 200) -> QuirkyServer:
    """A list with the newest dialog first."""
    return QuirkyServer([raw_dialog(number) for number in range(count, 0, -1)])


@asynccontextmanager
async def client_of(server: QuirkyServer) -> AsyncIterator[BotOne]:
    async with asgi_client(server) as client:
        yield BotOne("http://p.test/api", "a", "b", client=client, clock=VirtualClock())
