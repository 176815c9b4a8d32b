"""How uvicorn is set up when its callers are strangers."""

import asyncio
from typing import Any

import uvicorn

from vertexkit.server.connection import Connection
from vertexkit.server.limits import Limits
from vertexkit.server.pool import Door

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the usual proxy keeps its end, which
otherwise would send a call into a connection that is just being closed."""


class EdgeConfig(uvicorn.Config):
    """uvicorn's configuration with limits; it says nothing of itself in its answers.

    Args:
        app: as uvicorn takes it. Its attribute `turned_away`, if it has one, is told why each time
            that the edge sends a caller away.
        limits: of the connections.
        **options: uvicorn's.
    """

    def __init__(self, app: Any, limits: Limits, **options: Any) -> None:
        super().__init__(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            **options,
        )
        self.limits = limits
        self.door: Door

    def load(self) -> None:
        """As uvicorn does, in each process anew."""
        super().load()
        self.door = Door(self.limits, getattr(self.loaded_app, "turned_away", lambda _: None))


class SidePort:
    """A port beside the one that a process serves, as a context.

    Args:
        app: answers there; it is not told of start and end.
        limits: of the connections.
        shared: other processes listen there too.
    """

    def __init__(self, app: Any, limits: Limits, *, shared: bool) -> None:
        self._config = EdgeConfig(app, limits, interface="asgi3", lifespan="off")
        self._shared = shared
        self._state = uvicorn.server.ServerState()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: that is not possible.
        """
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection, host, port, reuse_port=self._shared or None
        )

    def _connection(self) -> Connection:
        return Connection(self._config, self._state, {})

    async def close(self) -> None:
        """Listen no more; answers under way are given."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._state.connections):
                connection.shutdown()
            await self._server.wait_closed()
