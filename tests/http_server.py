"""Any ASGI app behind a real HTTP server, as `vertexkit run` serves it, in the test's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.waiting import PATIENCE_SECONDS, occurs
from vertexkit.server.config import ServedApp, ServerConfig
from vertexkit.server.pool import ConnectionObserver
from vertexkit.settings import ServerSettings


class Server(uvicorn.Server):
    """A uvicorn server that reports its start, and stops immediately when it is asked to."""

    def __init__(
        self,
        app: Any,
        settings: ServerSettings,
        clients: int,
        observer: ConnectionObserver | None,
    ) -> None:
        served = ServedApp(app, observer)
        super().__init__(ServerConfig(lambda: served, settings, clients, log_level="critical"))
        self.up, self.over = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        self.up.set()
        await self.over.wait()


@asynccontextmanager
async def listening(
    app: Any,
    settings: ServerSettings | None = None,
    observer: ConnectionObserver | None = None,
    clients: int | None = None,
) -> AsyncIterator[int]:
    """Serve any ASGI app as `vertexkit run` does, on a free port."""
    settings = settings or ServerSettings()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, settings, clients or settings.clients, observer)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await occurs(server.up, "the server has started")
            yield listener.getsockname()[1]
        finally:
            server.over.set()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await serving
