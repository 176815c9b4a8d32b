"""Serves the console beside another app; its code is imported when the console is first opened."""

from collections.abc import Sequence

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.console.source import ConsoleSource
from vertexkit.settings import Network

PATH = "/console"


class ConsoleMount:
    """An ASGI app that passes the paths under `/console` to the console, and others on.

    Args:
        app: answers all other requests.
        source: what the console reads from.
        proxies: networks of the trusted reverse proxies, see `ConsoleGuard`.
        local_user: name of the user of direct connections in logs.
    """

    def __init__(
        self,
        app: ASGIApp,
        source: ConsoleSource,
        proxies: Sequence[Network] = (),
        local_user: str = "",
    ) -> None:
        self._app = app
        self._source = source
        self._proxies = proxies
        self._local_user = local_user
        self._console: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not (path == PATH or path.startswith(f"{PATH}/")):
            await self._app(scope, receive, send)
            return
        if self._console is None:  # the imports must not block the event loop of the service
            self._console = await to_thread.run_sync(self.load)
        await self._console(scope, receive, send)

    def load(self) -> ASGIApp:
        """Import the console's code, if it is not imported yet; return the console."""
        from vertexkit.console.guard import ConsoleGuard
        from vertexkit.console.server import console_app

        if self._console is None:
            guard = ConsoleGuard(self._proxies, self._local_user)
            self._console = console_app(self._source, guard)
        return self._console
