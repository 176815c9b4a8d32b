"""Configuration of uvicorn for untrusted clients."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from vertexkit.server.connection import Connection
from vertexkit.server.limits import IDLE_TIMEOUT_SECONDS
from vertexkit.server.pool import ConnectionObserver, ConnectionPool
from vertexkit.settings import ServerSettings


class ServedApp(NamedTuple):
    """An app, and who learns about clients that it never sees."""

    app: ASGIApp
    observer: ConnectionObserver | None = None


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration with limits on connections, and without a `Server` header.

    Args:
        load_app: returns what is served. It is called in each process, so it must be picklable if
            there are several.
        settings: deadlines and size limits.
        max_connections: how many connections from clients may be open.
        **options: uvicorn's.
    """

    def __init__(
        self,
        load_app: Callable[[], ServedApp],
        settings: ServerSettings,
        max_connections: int,
        **options: Any,
    ) -> None:
        super().__init__(
            "",  # set by `load`
            http=Connection,
            ws="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_TIMEOUT_SECONDS,
            **options,
        )
        self._load_app = load_app
        self._settings = settings
        self._max_connections = max_connections
        self.pool: ConnectionPool

    def load(self) -> None:
        """As uvicorn does, once in each process."""
        served = self._load_app()
        self.app: Any = served.app
        super().load()
        self.pool = ConnectionPool(self._settings, self._max_connections, served.observer)


class SecondaryServer:
    """A server on a second port of a process whose event loop runs already.

    Args:
        app: answers there. It receives no lifespan events.
        settings: deadlines and size limits.
        max_connections: how many connections from clients may be open.
        shared: other processes listen on the same port.
    """

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, max_connections: int, *, shared: bool
    ) -> None:
        self._config = ServerConfig(
            lambda: ServedApp(app), settings, max_connections, lifespan="off"
        )
        self._shared = shared
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be used.
        """
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._new_connection, host, port, reuse_port=self._shared or None
        )

    def _new_connection(self) -> Connection:
        return Connection(self._config, self._state, {})

    async def close(self) -> None:
        """Stop listening, and wait for the responses in progress."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._state.connections):
                connection.shutdown()
            await self._server.wait_closed()
