"""The app as each serving process runs it."""

import os
import sys
from functools import partial
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from vertexkit.app import asgi_app
from vertexkit.asgi import AsgiApp
from vertexkit.cli.options import DEBUG_VARIABLE
from vertexkit.cli.serve.announcement import announce
from vertexkit.errors import VertexkitError
from vertexkit.loading import find_app
from vertexkit.server.config import ServedApp
from vertexkit.service import Service
from vertexkit.settings import PREFIX
from vertexkit.system.garbage_collector import tune_garbage_collector

JOURNAL_SOCKET = f"{PREFIX}JOURNAL_SOCKET"
METRICS_SOCKET = f"{PREFIX}METRICS_SOCKET"
"""In the environment of a worker: the sockets of the process that has started it."""
ADDRESS = f"{PREFIX}ADDRESS"
MODE = f"{PREFIX}MODE"
"""In the environment of an only process: what it announces when it has started."""


class ServedProcess:
    """An ASGI app around the author's: it tunes the garbage collector, and shortens errors at start.

    Args:
        app: the author's.
    """

    def __init__(self, app: AsgiApp) -> None:
        self.startup_error: str = ""
        """Why the service could not start, as a sentence, if that is not the app's own error."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on to the app."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._around_startup(send))
        else:
            await self._app(scope, receive, send)

    @property
    def service(self) -> Service | None:
        """The running service, from startup to shutdown."""
        return self._app.service

    def connection_rejected(self, code: str) -> None:
        """As `ConnectionObserver.connection_rejected`."""
        if self._app.service is not None:
            self._app.service.metrics.connection_rejected(code)

    def _around_startup(self, send: Send) -> Send:
        async def send_startup(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                tune_garbage_collector()
            elif message["type"] == "lifespan.startup.failed":
                error = sys.exc_info()[1]
                if isinstance(error, VertexkitError):
                    self.startup_error = str(error)
                    if not os.environ.get(DEBUG_VARIABLE):
                        message = {**message, "message": self.startup_error}
            await send(message)

        return send_startup


def load_app() -> ServedApp:
    """Load what VERTEXKIT_APP names; called once in each process."""
    app = asgi_app(find_app(None)[1])
    app.journal_socket = _path_in(JOURNAL_SOCKET)
    app.metrics_socket = _path_in(METRICS_SOCKET)
    if address := os.environ.get(ADDRESS):
        app.announce = partial(announce, base=address, mode=os.environ.get(MODE, ""))
    process = ServedProcess(app)
    return ServedApp(process, process)


def _path_in(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
