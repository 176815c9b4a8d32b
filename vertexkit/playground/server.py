"""The HTTP server of the playground: the page, its API, and the fake platform."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.errors import SettingsError
from vertexkit.page.assets import Assets, SecurityHeaders
from vertexkit.playground.faults import FAULT_PRESETS
from vertexkit.playground.playground import Playground
from vertexkit.playground.run_api import RunApi, invalid_request
from vertexkit.server.local_guard import LocalGuard
from vertexkit.testing.platform.app import BASE_PATH, ConnectionCut
from vertexkit.testing.platform.openapi import openapi_document

EVENT_STREAM_PING_SECONDS = 15


class PlaygroundServer:
    """Serves a playground over HTTP.

    Args:
        playground: the playground.
    """

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._assets = Assets("vertexkit.playground")

    def app(self, host: str) -> ASGIApp:
        """Return the page and the fake platform as one ASGI app.

        Args:
            host: the address to listen on; see `LocalGuard`.
        """
        routes = [
            Route("/", self._index),
            Route("/", self._forward, methods=["POST"]),
            Route("/runs/{run}", self._index),
            Route("/blocks/{name}", self._forward, methods=["POST"]),
            Route("/events/{execution}/{name}/{signature}", self._forward, methods=["POST"]),
            Route("/static/{name}", self._static_file),
            Route("/token", self._issue_token),
            Route("/openapi.json", lambda _: JSONResponse(openapi_document(BASE_PATH))),
            Route("/playground/state", lambda _: JSONResponse(self._state())),
            Route("/playground/events", self._event_stream),
            *RunApi(self._playground).routes(),
        ]
        page = Starlette(routes=routes, exception_handlers={SettingsError: invalid_request})
        page.router.redirect_slashes = False
        return LocalGuard(_PathRouter(SecurityHeaders(page), self._playground.platform), host)

    def _state(self) -> dict[str, Any]:
        return self._playground.state | {"faults": FAULT_PRESETS}

    async def _index(self, _: Request) -> Response:
        return self._assets.response("index.html")

    async def _static_file(self, request: Request) -> Response:
        return self._assets.response(request.path_params["name"])

    async def _issue_token(self, request: Request) -> Response:
        block = request.query_params.get("block", "block")
        return PlainTextResponse(self._playground.platform.issue(block))

    async def _forward(self, request: Request) -> Response:
        status, answer = await self._playground.forward(
            request.url.path,
            request.url.query,
            await request.body(),
            request.headers.get("content-type", ""),
        )
        return Response(answer, status, media_type="application/json")

    async def _event_stream(self, _: Request) -> Response:
        return EventSourceResponse(self._messages(), ping=EVENT_STREAM_PING_SECONDS)

    async def _messages(self) -> AsyncIterator[dict[str, str]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        unsubscribe = self._playground.subscribe(queue.put_nowait)
        try:
            yield {"data": json.dumps({"kind": "state", **self._state()}, ensure_ascii=False)}
            while True:
                message = await queue.get()
                yield {"data": json.dumps(message, ensure_ascii=False, default=str)}
        finally:
            unsubscribe()


class _PathRouter:
    """Passes the platform's paths to the fake platform, and all others to the page."""

    def __init__(self, page: ASGIApp, platform: ASGIApp) -> None:
        self._page = page
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{BASE_PATH}/"):
            await self._page(scope, receive, send)
            return
        try:
            await self._platform(scope, receive, send)
        except ConnectionCut:
            # An ASGI app cannot cut the connection; 500 also does not show what happened.
            await Response(status_code=500)(scope, receive, send)
