"""Another system that an example block calls, behind a real HTTP server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.http_server import served


class WebService:
    """A system that answers each request with JSON, and remembers the requests.

    Args:
        answers: What it answers, by number of the request; the last one is repeated. A number is a
            status without a body.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers: list[Any] = [*answers]
        self.requests: list[tuple[str, Any]] = []
        self.keys: list[str | None] = []
        self._app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> JSONResponse:
        body = await request.json() if request.method == "POST" else None
        self.requests.append((request.url.path, body))
        self.keys.append(request.headers.get("idempotency-key"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return JSONResponse(None, answer) if isinstance(answer, int) else JSONResponse(answer)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """A context in which it is served; yields its address."""
        async with served(self._app) as port:
            yield f"http://127.0.0.1:{port}"
