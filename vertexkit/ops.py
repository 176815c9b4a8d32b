"""What operators ask a running service for: is it alive, does it take calls, its figures."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from vertexkit.catalogue import Page
from vertexkit.errors import SettingsError
from vertexkit.exposition import MEDIA_TYPE
from vertexkit.problems import problem
from vertexkit.receiver import Gate
from vertexkit.service import Service


class Figures:
    """`GET /metrics`, behind the URL's secret if there is one.

    Args:
        service: whose figures they are.
        gate: who may see them; None: everybody.
    """

    def __init__(self, service: Service, gate: Gate | None) -> None:
        self._service = service
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gate is not None and not self._gate.opens(scope):
            response: Response = problem(404, "not_found", "There is nothing here.")
        else:
            body = await self._service.figures()
            response = Response(body, 200, {"Cache-Control": "no-store"}, MEDIA_TYPE)
        await response(scope, receive, send)


def pages_for_operators(service: Service, gate: Gate | None) -> Mapping[str, ASGIApp]:
    """The paths for operators.

    Args:
        service: at work.
        gate: who may see the figures; None: everybody. Health is everybody's to ask.
    """
    return {
        "/healthz": Page(lambda: (200, {"alive": True})),
        "/readyz": Page(service.readiness),
        "/metrics": Figures(service, gate),
    }


class OpsPort:
    """A context in which a port of its own answers operators: also while the service drains.

    Args:
        host: where to listen.
        port: 0: nowhere.
        shared: other processes of this service listen there too.

    Raises:
        SettingsError: on entering: it cannot be listened on; names the setting.
    """

    def __init__(self, host: str, port: int, *, shared: bool) -> None:
        self.app: ASGIApp = problem(503, "starting", "This service is starting.")
        """What answers."""
        self._host, self._port, self._shared = host, port, shared
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if not self._port:
            return self
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )
        config.load()
        protocol: Any = config.http_protocol_class
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: protocol(config=config, server_state=self._state, app_state={}),
                self._host,
                self._port,
                reuse_port=self._shared or None,
            )
        except OSError as error:
            raise SettingsError(
                f"VERTEXKIT_OPS_PORT: cannot listen on {self._host}:{self._port}: "
                f"{error.strerror or error}. Choose a port that nobody has"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for connection in list(self._state.connections):
                connection.shutdown()
            await self._server.wait_closed()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
