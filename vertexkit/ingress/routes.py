"""The routes of a service: the platform's calls, the catalogue, health and metrics."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from vertexkit.blocks.registry import Block
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.openapi import JsonEndpoint, catalogue, openapi
from vertexkit.ingress.ops import Monitored, ops_endpoints
from vertexkit.server.problems import EXCEPTION_HANDLERS


def block_routes(blocks: Mapping[str, Block], receiver: ASGIApp) -> list[Route]:
    """Make the routes that the platform calls.

    Args:
        blocks: by name; a single block is also served at `/`.
        receiver: handles the calls of all blocks.
    """
    paths = ["/blocks/{name}", "/blocks/{name}/{key}"]
    if len(blocks) == 1:
        paths.append("/")
    return [Route(path, receiver, methods=["POST"]) for path in paths]


def information_routes(
    blocks: Mapping[str, Block], ack_status: int, service: Monitored, access: AccessControl | None
) -> list[Route]:
    """Make the routes of the catalogue, of health and of metrics.

    Args:
        blocks: by name.
        ack_status: HTTP status of the response to an accepted call.
        service: is running.
        access: which clients are let in; None: all. Health is always open to all.
    """

    @cache
    def document() -> dict[str, Any]:
        return openapi(blocks, version("vertexkit"), ack_status)

    endpoints: dict[str, ASGIApp] = {
        "/blocks": JsonEndpoint(lambda: (200, catalogue(blocks)), access),
        "/openapi.json": JsonEndpoint(lambda: (200, document()), access),
        **ops_endpoints(service, access),
    }
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]


def make_router(
    routes: Sequence[Route],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
) -> Starlette:
    """Make an ASGI application that serves these routes and answers errors as problems.

    Args:
        routes: may be replaced in `router.routes` later.
        lifespan: entered at startup and left at shutdown.
    """
    router = Starlette(routes=routes, lifespan=lifespan, exception_handlers=EXCEPTION_HANDLERS)
    # A redirect would repeat the URL secret, and a platform need not follow it.
    router.router.redirect_slashes = False
    return router
