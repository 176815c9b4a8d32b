"""The console as an ASGI app: the page, its files and its API."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.console.actions import ActionApi
from vertexkit.console.guard import ConsoleGuard
from vertexkit.console.queries import QueryApi
from vertexkit.console.source import ConsoleSource
from vertexkit.errors import JournalError, OperationNotAllowed
from vertexkit.page.assets import Assets, SecurityHeaders
from vertexkit.server.problems import EXCEPTION_HANDLERS, problem


def console_app(source: ConsoleSource, guard: ConsoleGuard) -> ASGIApp:
    """Make the console's ASGI app, which serves paths under `/console`.

    Args:
        source: what the console reads from.
        guard: decides which requests are answered.
    """
    assets = Assets("vertexkit.console")

    async def page(_: Request) -> Response:
        return assets.response("console.html")

    async def file(request: Request) -> Response:
        return assets.response(request.path_params["name"])

    async def redirect(_: Request) -> Response:
        return RedirectResponse("console/")  # relative: a proxy may serve it under another path

    routes = [
        Route("/console", redirect),
        Route("/console/", page),
        Route("/console/static/{name}", file),
        *QueryApi(source, guard).routes("/console/api"),
        *ActionApi(source, guard).routes("/console/api"),
    ]
    handlers: dict[Any, Any] = {
        **EXCEPTION_HANDLERS,
        OperationNotAllowed: _not_allowed,
        JournalError: _unavailable,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return SecurityHeaders(_Guarded(app, guard))


class _Guarded:
    """Passes on the requests that the guard lets in."""

    def __init__(self, app: ASGIApp, guard: ConsoleGuard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: ASGIApp = self._guard.rejection(scope) or self._app
        await response(scope, receive, send)


async def _not_allowed(_: Request, error: Exception) -> Response:
    return problem(409, "not_allowed", str(error))


async def _unavailable(_: Request, error: Exception) -> Response:
    return problem(503, "journal_unavailable", str(error))
