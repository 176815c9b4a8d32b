"""What each serving process runs: the app, told apart from a bare one by its start."""

import gc
import os
import sys
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from vertexkit.app import App
from vertexkit.cli.options import DEBUG_VARIABLE
from vertexkit.errors import VertexkitError
from vertexkit.loading import find_app
from vertexkit.settings import PREFIX

OWNER = f"{PREFIX}OWNER"
"""In the environment of a worker: the socket of the process that has the journal."""
GENERATIONS = (20_000, 20, 50)
"""How many new objects start a collection: measured, an execution makes few that live long."""


class Serving:
    """An ASGI app around the author's: a quiet collector, and faults at start in a sentence."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, _announcing(send))
        else:
            await self._app(scope, receive, send)

    def turned_away(self, code: str) -> None:
        """Count a caller whom the edge sent away."""
        if self._app.service is not None:
            self._app.service.metrics.connection_rejected(code)


def make() -> Serving:
    """The factory that uvicorn calls in each process: serves what VERTEXKIT_APP names."""
    app = find_app(None)[1]
    owner = os.environ.get(OWNER)
    app.owner = Path(owner) if owner else None
    return Serving(app)


def _announcing(send: Send) -> Send:
    async def announce(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            # What was made until now stays until the end: nobody needs to look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*GENERATIONS)
        elif message["type"] == "lifespan.startup.failed":
            error = sys.exc_info()[1]
            if isinstance(error, VertexkitError) and not os.environ.get(DEBUG_VARIABLE):
                message = {**message, "message": str(error)}
        await send(message)

    return announce
