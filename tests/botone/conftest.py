"""A scripted platform for each test, at the other end of each wire."""

from collections.abc import AsyncIterator

import pytest

from tests.botone.scripted_server import AsgiServer, ScriptedServer, SocketServer, over_sockets


@pytest.fixture
async def sockets() -> AsyncIterator[SocketServer]:
    """A platform behind a socket, with the wire of production."""
    async with over_sockets() as server:
        yield server


@pytest.fixture(params=["aiohttp", "asgi"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedServer]:
    """A platform behind each of the wires."""
    if request.param == "asgi":
        yield AsgiServer()
    else:
        async with over_sockets() as made:
            yield made
