"""The playground's pages: what the browser asks for, and who may ask."""

import asyncio
import json
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vertexkit.errors import SettingsError
from vertexkit.playground.faults import SWITCHES
from vertexkit.playground.playground import Playground, Wanted
from vertexkit.recordings import Recording
from vertexkit.testing.platform.app import BASE_PATH, ConnectionCut
from vertexkit.testing.platform.openapi import openapi_document
from vertexkit.testing.recorded import generate_test, generated_test_name

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
SHOWN = 100
"""Runs of the history that the page gets."""
HERE = ["localhost", "127.0.0.1", "[::1]"]
TESTS = Path("tests")


class Pages:
    """The routes of a playground."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._static = files("vertexkit.playground") / "static"

    def app(self, host: str) -> ASGIApp:
        """The playground and its platform as one ASGI app.

        Args:
            host: that it listens on. On this machine's loopback no page of another host may ask.
        """
        routes = [
            Route("/", self._page),
            Route("/", self._forward, methods=["POST"]),
            Route("/blocks/{name}", self._forward, methods=["POST"]),
            Route("/static/{name}", self._file),
            Route("/token", self._token),
            Route("/openapi.json", lambda _: JSONResponse(openapi_document(BASE_PATH))),
            Route("/playground/state", lambda _: JSONResponse(self._state())),
            Route("/playground/events", self._events),
            Route("/playground/runs", self._runs),
            Route("/playground/runs", self._run, methods=["POST"]),
            Route("/playground/runs/{run}", self._one),
            Route("/playground/runs/{run}", self._delete, methods=["DELETE"]),
            Route("/playground/runs/{run}/test", self._test, methods=["POST"]),
        ]
        local = host in {"127.0.0.1", "localhost", "::1"}
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=HERE if local else ["*"])
        pages = Starlette(
            routes=routes,
            middleware=[hosts],
            exception_handlers={SettingsError: _unfit},
        )
        pages.router.redirect_slashes = False
        return _Split(_Guarded(pages), self._playground.platform)

    def _state(self) -> dict[str, Any]:
        return self._playground.state | {"faults": [name for name in SWITCHES if name]}

    async def _page(self, _: Request) -> Response:
        return self._asset("index.html")

    async def _file(self, request: Request) -> Response:
        return self._asset(request.path_params["name"])

    def _asset(self, name: str) -> Response:
        asset = self._static / Path(name).name
        kind = TYPES.get(Path(name).suffix)
        if kind is None or not asset.is_file():
            raise HTTPException(404)
        return Response(asset.read_bytes(), media_type=kind)

    async def _token(self, request: Request) -> Response:
        block = request.query_params.get("block", "block")
        return PlainTextResponse(self._playground.platform.issue(block))

    async def _forward(self, request: Request) -> Response:
        status, said = await self._playground.forward(
            request.url.path,
            request.url.query,
            await request.body(),
            request.headers.get("content-type", ""),
        )
        return Response(said, status, media_type="application/json")

    async def _events(self, _: Request) -> Response:
        return EventSourceResponse(self._stream(), ping=15)

    async def _stream(self) -> AsyncIterator[dict[str, str]]:
        waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        hush = self._playground.listen(waiting.put_nowait)
        try:
            yield {"data": json.dumps({"kind": "state", **self._state()}, ensure_ascii=False)}
            while True:
                message = await waiting.get()
                yield {"data": json.dumps(message, ensure_ascii=False, default=str)}
        finally:
            hush()

    async def _runs(self, _: Request) -> Response:
        found = []
        for run in self._playground.recordings:
            found.append(_summary(run))
            if len(found) == SHOWN:
                break
        return JSONResponse(found)

    async def _run(self, request: Request) -> Response:
        asked = await _json_of(request)
        try:
            wanted = Wanted(
                str(asked["block"]),
                dict(asked.get("inputs") or {}),
                str(asked.get("fault") or ""),
                int(asked.get("after") or 1),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError("a run is {block, inputs, fault, after}") from error
        return JSONResponse({"run": await self._playground.run(wanted)}, 201)

    async def _one(self, request: Request) -> Response:
        run = self._playground.recordings.find(request.path_params["run"])
        return JSONResponse({"run": run.header.line(), "lines": run.lines})

    async def _delete(self, request: Request) -> Response:
        self._playground.recordings.delete(request.path_params["run"])
        return Response(status_code=204)

    async def _test(self, request: Request) -> Response:
        run = self._playground.recordings.find(request.path_params["run"])
        if run.end is None:
            raise SettingsError("this run has not ended: nobody can tell what a test should expect")
        path = TESTS / f"test_{generated_test_name(run)}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(generate_test(run), encoding="utf-8")
        return JSONResponse({"path": str(path), "code": generate_test(run)}, 201)


def _summary(run: Recording) -> dict[str, Any]:
    return run.header.line() | {
        "outcome": run.outcome,
        "code": run.code,
        "messages": len(run.messages),
        "seconds": None if run.end is None else run.end["at"],
    }


async def _json_of(request: Request) -> dict[str, Any]:
    try:
        asked = await request.json()
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        raise SettingsError("the body is a JSON object")
    return asked


async def _unfit(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)


class _Split:
    """The platform's paths to the platform, the rest to the pages."""

    def __init__(self, pages: ASGIApp, platform: ASGIApp) -> None:
        self._pages, self._platform = pages, platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{BASE_PATH}/"):
            await self._pages(scope, receive, send)
            return
        try:
            await self._platform(scope, receive, send)
        except ConnectionCut:
            # A server cannot cut a connection for its app: 500 tells the caller as little.
            await Response(status_code=500)(scope, receive, send)


class _Guarded:
    """Puts the headers on every answer, and lets no other site's page run anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if scope["type"] == "http" and scope["method"] != "GET":
            request = Request(scope)
            origin = request.headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
                await PlainTextResponse("another site asks", 403)(scope, receive, answer)
                return
        await self._app(scope, receive, answer)
