"""Any ASGI app behind a real HTTP server, in the test's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import uvicorn

from tests.waiting import PATIENCE_SECONDS, occurs
from vertexkit.server.config import ServedApp, ServerConfig
from vertexkit.server.pool import ConnectionObserver
from vertexkit.settings import ServerSettings

KEEP_ALIVE_SECONDS = 3600
"""No unused connection is closed while a test is delayed."""


CLOSING_TURNS = 5
"""Turns of the event loop in which an idle connection that is closed reports its end."""


class Server(uvicorn.Server):
    """A uvicorn server that reports its start, and stops immediately when it is asked to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up, self.over = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        self.up.set()
        await self.over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what uvicorn does, without its pause of 0.1 s where every connection is closed."""
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        for _ in range(CLOSING_TURNS):
            await asyncio.sleep(0)
        if state.connections or state.tasks:
            await super().shutdown(sockets)
            return
        for listener in self.servers:
            listener.close()
            await listener.wait_closed()
        for one in sockets or []:
            one.close()
        if not self.force_exit:
            await self.lifespan.shutdown()


@asynccontextmanager
async def running(config: uvicorn.Config, port: int = 0) -> AsyncIterator[int]:
    """Run a server on this port, or on a free one; yield the port."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await occurs(server.up, "the server has started")
            yield listener.getsockname()[1]
        finally:
            server.over.set()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await serving


@asynccontextmanager
async def listening(
    app: Any,
    settings: ServerSettings | None = None,
    observer: ConnectionObserver | None = None,
    clients: int | None = None,
) -> AsyncIterator[int]:
    """Serve an app as `vertexkit run` does, on a free port."""
    settings, served = settings or ServerSettings(), ServedApp(app, observer)
    clients = clients or settings.clients
    config = ServerConfig(lambda: served, settings, clients, log_level="critical")
    async with running(config) as port:
        yield port


@asynccontextmanager
async def served(
    app: Any, port: int = 0, lifespan: Literal["on", "off"] = "off"
) -> AsyncIterator[int]:
    """Serve an app with uvicorn as it is, on this port or on a free one; yield the port."""
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        ws="none",
        log_level="critical",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    async with running(config, port) as bound:
        yield bound
