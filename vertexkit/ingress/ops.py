"""Endpoints for operators: health, readiness and metrics."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.errors import SettingsError
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.information import (
    HEADERS,
    SHARED_SECONDS,
    InformationEndpoint,
    json_endpoint,
)
from vertexkit.server.config import SecondaryServer
from vertexkit.server.problems import problem
from vertexkit.settings import ServerSettings
from vertexkit.telemetry.prometheus import MEDIA_TYPE, Snapshot, render

MAX_CONNECTIONS = 64
"""Connections to the operators' port."""


class Monitored(Protocol):
    """What the endpoints need of a running service."""

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return status and content of `GET /readyz`."""

    async def snapshot(self) -> Snapshot:
        """Return the metrics of all processes of the service."""


def ops_endpoints(service: Monitored, access: AccessControl | None) -> Mapping[str, ASGIApp]:
    """Make the endpoints for operators.

    Args:
        service: is running.
        access: who may read the metrics; None: every client. Every client may read the health.

    Returns:
        The endpoints by path.
    """

    async def render_metrics() -> Response:
        return Response(render(await service.snapshot()), 200, HEADERS, MEDIA_TYPE)

    return {
        "/healthz": json_endpoint(lambda: (200, {"alive": True})),
        "/readyz": json_endpoint(service.readiness),
        "/metrics": InformationEndpoint(render_metrics, access, shared_seconds=SHARED_SECONDS),
    }


class OpsServer:
    """A context in which a separate port serves operators, until the service has drained.

    Args:
        settings: `ops_port` 0: there is no separate port.
        shared: other processes of this service listen on the same port.

    Raises:
        SettingsError: on entering, if the port cannot be used.
    """

    def __init__(self, settings: ServerSettings, *, shared: bool) -> None:
        self.app: ASGIApp = problem(503, "starting", "The service is starting.")
        """Answers the requests."""
        self._host, self._port = settings.host, settings.ops_port
        self._server = SecondaryServer(self._answer, settings, MAX_CONNECTIONS, shared=shared)

    async def __aenter__(self) -> Self:
        if not self._port:
            return self
        try:
            await self._server.start(self._host, self._port)
        except OSError as error:
            raise SettingsError(
                f"VERTEXKIT_OPS_PORT: cannot listen on {self._host}:{self._port}: "
                f"{error.strerror or error}. Choose a free port"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
