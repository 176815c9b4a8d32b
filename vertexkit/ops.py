"""What operators ask a running service for: is it alive, does it take calls, its figures."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.catalogue import Page
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


def pages(service: Service, gate: Gate | None) -> Mapping[str, ASGIApp]:
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
