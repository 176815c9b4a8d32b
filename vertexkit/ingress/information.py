"""Endpoints that are read with GET: the catalogue, health and metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertexkit.ingress.access import AccessControl
from vertexkit.server.problems import method_not_allowed, not_found
from vertexkit.text import encodable

ALLOWED = "GET, HEAD"
SHARED_SECONDS = 1.0
"""Time for which a rendered response is shared: however often a page is requested, rendering it
takes a small part of the event loop's time."""
HEADERS = {"Cache-Control": "no-store"}


class InformationEndpoint:
    """An endpoint that is read with GET or HEAD.

    Args:
        render: makes the response.
        access: which clients may read it; None: all.
        shared_seconds: time for which a response is sent again instead of a new one.
    """

    def __init__(
        self,
        render: Callable[[], Awaitable[Response]],
        access: AccessControl | None = None,
        *,
        shared_seconds: float = 0.0,
    ) -> None:
        self._render = render
        self._access = access
        self._shared_seconds = shared_seconds
        self._rendering = asyncio.Lock()
        self._shared: Response | None = None
        self._shared_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response: Response
        if self._access is not None and not self._access.allows(scope):
            response = not_found()
        elif scope["method"] not in ("GET", "HEAD"):
            response = method_not_allowed(ALLOWED)
        elif self._shared_seconds:
            response = await self._share()
        else:
            response = await self._render()
        await response(scope, receive, send)

    async def _share(self) -> Response:
        async with self._rendering:
            if self._shared is None or time.monotonic() >= self._shared_until:
                self._shared = await self._render()
                self._shared_until = time.monotonic() + self._shared_seconds
            return self._shared


def json_endpoint(
    content: Callable[[], tuple[int, Any]],
    access: AccessControl | None = None,
    *,
    shared_seconds: float = 0.0,
) -> InformationEndpoint:
    """Make an endpoint whose response is JSON.

    Args:
        content: returns status and content.
        access: which clients may read it; None: all.
        shared_seconds: as for `InformationEndpoint`.
    """

    async def render() -> Response:
        status, value = content()
        return Response(to_json(encodable(value)), status, HEADERS, "application/json")

    return InformationEndpoint(render, access, shared_seconds=shared_seconds)
