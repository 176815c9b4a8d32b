"""What operators ask a running service for: is it alive, does it take calls, its figures."""

from collections.abc import Mapping
from typing import Self

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.errors import SettingsError
from vertexkit.ingress.gate import Gate
from vertexkit.ingress.openapi import Page
from vertexkit.server.config import SidePort
from vertexkit.server.limits import Limits
from vertexkit.server.problems import nothing_here, problem
from vertexkit.service import Service
from vertexkit.settings import Settings
from vertexkit.telemetry.prometheus import MEDIA_TYPE

CLIENTS = 64
"""Connections of operators and their machines."""


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
            response: Response = nothing_here()
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
        settings: where it listens; with `ops_port` 0 nowhere.
        shared: other processes of this service listen there too.

    Raises:
        SettingsError: on entering: it cannot be listened on; names the setting.
    """

    def __init__(self, settings: Settings, *, shared: bool) -> None:
        self.app: ASGIApp = problem(503, "starting", "This service is starting.")
        """What answers."""
        self._host, self._port = settings.server.host, settings.server.ops_port
        self._side = SidePort(self._answer, Limits(clients=CLIENTS), shared=shared)

    async def __aenter__(self) -> Self:
        if not self._port:
            return self
        try:
            await self._side.open(self._host, self._port)
        except OSError as error:
            raise SettingsError(
                f"VERTEXKIT_OPS_PORT: cannot listen on {self._host}:{self._port}: "
                f"{error.strerror or error}. Choose a port that nobody has"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._side.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
