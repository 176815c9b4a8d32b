"""A scripted platform for each test, at the other end of each wire."""

from collections.abc import AsyncIterator

import pytest

from tests.botone.scripted_server import AsgiServer, ScriptedServer, SocketServer, over_sockets
from vertexkit.botone.aiohttp_wire import AiohttpWire
from vertexkit.botone.socket_wire import SocketWire


@pytest.fixture(params=[SocketWire, AiohttpWire])
async def sockets(request: pytest.FixtureRequest) -> AsyncIterator[SocketServer]:
    """A platform behind a socket, with each of the wires that use sockets."""
    async with over_sockets(request.param()) as server:
        yield server


@pytest.fixture(params=[SocketWire, AiohttpWire, "asgi"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[ScriptedServer]:
    """A platform behind each of the wires."""
    if request.param == "asgi":
        yield AsgiServer()
    else:
        async with over_sockets(request.param()) as made:
            yield made
