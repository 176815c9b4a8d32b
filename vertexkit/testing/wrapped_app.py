"""An app with one more middleware, around all of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from vertexkit.app import App
from vertexkit.blocks.registry import Blocks
from vertexkit.context.context import Context
from vertexkit.ingress.request import ReadCall
from vertexkit.settings import Settings
from vertexkit.worker.policy import Middleware, Next, OnFailure


class WrappedApp(ABC):
    """The definition of an author's app, whose handlers are observed by a subclass.

    Args:
        app: of the author.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app

    @abstractmethod
    async def _observe(self, ctx: Context, /, call_next: Next) -> Any:
        """The middleware around all others."""

    @property
    def blocks(self) -> Blocks:
        return self._app.blocks

    @property
    def lifespan(self) -> Callable[[Any], AbstractAsyncContextManager[Any]] | None:
        lifespan = self._app.lifespan
        return None if lifespan is None else lambda _: lifespan(self._app)

    @property
    def middleware(self) -> Sequence[Middleware]:
        return (self._observe, *self._app.middleware)

    @property
    def read_call(self) -> ReadCall:
        return self._app.read_call

    @property
    def on_failure(self) -> OnFailure | None:
        return self._app.on_failure

    @property
    def settings(self) -> Settings | None:
        return self._app.settings
