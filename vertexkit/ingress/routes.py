"""The routes of a service: the platform's calls, the catalogue, health and metrics."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from importlib.metadata import version
from urllib.parse import unquote

import starlette.routing
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.blocks.registry import Block
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.information import SHARED_SECONDS, json_endpoint
from vertexkit.ingress.openapi import catalogue, openapi
from vertexkit.ingress.ops import Monitored, ops_endpoints
from vertexkit.server.problems import not_found, request_failed

ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


def block_routes(blocks: Mapping[str, Block], receiver: ASGIApp) -> list[Route]:
    """Make the routes that the platform calls.

    Args:
        blocks: by name; a single block is also served at `/`.
        receiver: handles the calls of all blocks.
    """
    paths = ["/blocks/{name}", "/blocks/{name}/{key}"]
    if len(blocks) == 1:
        paths.append("/")
    return [Route(path, receiver) for path in paths]


def event_routes(receiver: ASGIApp) -> list[Route]:
    """Make the route of events from outside.

    Args:
        receiver: handles the events of all executions.
    """
    return [Route("/events/{execution}/{name}/{signature}", receiver)]


def information_routes(
    blocks: Mapping[str, Block],
    ack_status: int,
    platform: str,
    service: Monitored,
    access: AccessControl | None,
) -> list[Route]:
    """Make the routes of the catalogue, of health and of metrics.

    Args:
        blocks: by name.
        ack_status: HTTP status of the response to an accepted call.
        platform: URL of the platform if that is on the same machine: the catalogue names it. Empty
            if not: no response names the address of another one.
        service: is running.
        access: which clients are let in; None: all. Health is always open to all.
    """
    described = {"platform": platform} if platform else {}
    shared = partial(json_endpoint, shared_seconds=SHARED_SECONDS)
    endpoints: dict[str, ASGIApp] = {
        "/blocks": shared(lambda: (200, catalogue(blocks) | described), access),
        "/openapi.json": shared(
            lambda: (200, openapi(blocks, version("vertexkit"), ack_status)), access
        ),
        **ops_endpoints(service, access),
    }
    return [Route(path, endpoint) for path, endpoint in endpoints.items()]


class Router(starlette.routing.Router):
    """Routes requests by paths in which slashes that are doubled or at the end do not matter.

    Endpoints check the method themselves, after access: without the secret, a path that exists
    looks like any other. Errors are answered here: the middleware that a Starlette application has
    for them makes 12 more calls of Python functions for each request.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan of the server."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        try:
            await self.app(_with_plain_path(scope), receive, send)
        except Exception:
            with suppress(RuntimeError):  # of the server, if the response has started
                await request_failed()(scope, receive, send)
            raise  # the server logs it

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a path that does not exist."""
        if scope["type"] == "http":
            await not_found()(scope, receive, send)
        else:
            await super().not_found(scope, receive, send)


def _with_plain_path(scope: Scope) -> Scope:
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%2" in raw_path and (name := ENCODED_SLASH.sub(b"%252F", raw_path)) != raw_path:
        # An encoded slash is a character of a name, which the decoded path does not show.
        scope = {**scope, "path": unquote(name.decode("ascii", "replace"))}
    path: str = scope["path"]
    if "//" not in path and not path.endswith("/"):
        return scope
    root = scope.get("root_path", "")
    if not path.startswith(f"{root}/"):
        root = ""
    segments = filter(None, path[len(root) :].split("/"))
    return {**scope, "path": f"{root}/{'/'.join(segments)}"}


def make_router(
    routes: Sequence[Route],
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> Router:
    """Make an ASGI application that serves these routes and answers errors as problems.

    Args:
        routes: may be replaced in the router's `routes` later.
        lifespan: entered at startup and left at shutdown.
    """
    # A redirect would repeat the URL secret, and a platform need not follow it.
    return Router(routes, redirect_slashes=False, lifespan=lambda _: lifespan())
