"""The author's app as the playground runs it: its errors are reported, its runs can be stopped."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from vertexkit.app import App
from vertexkit.blocks.registry import Blocks
from vertexkit.context.context import Context
from vertexkit.errors import BlockFailed, Retry
from vertexkit.ingress.request import ReadCall
from vertexkit.settings import Settings
from vertexkit.worker.policy import Middleware, Next, OnFailure

STOPPED_CODE = "stopped"
"""Code of a block whose run was stopped by the developer."""

ErrorObserver = Callable[[str, Exception], object]
"""Called with the execution's id and what its handler raised."""


class ObservedApp:
    """The definition of an app, with a middleware around all others.

    Args:
        app: of the author.
        on_error: is called with each error of a handler.
    """

    def __init__(self, app: App[Any], on_error: ErrorObserver) -> None:
        self._app = app
        self._on_error = on_error
        self._running: dict[str, asyncio.Timeout] = {}
        self._stopped: set[str] = set()

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

    def stop(self, execution: str) -> bool:
        """Fail the block of an execution: now if its handler runs, else when it runs next.

        Returns:
            Whether the handler runs.
        """
        self._stopped.add(execution)
        running = self._running.get(execution)
        if running is not None:
            running.reschedule(0.0)
        return running is not None

    async def _observe(self, ctx: Context, /, call_next: Next) -> Any:
        execution = ctx.execution_id
        limit = self._running[execution] = asyncio.timeout(None)
        try:
            async with limit:
                if execution in self._stopped:
                    limit.reschedule(0.0)
                    await asyncio.sleep(0)
                return await call_next(ctx)
        except TimeoutError as error:
            if limit.expired():
                raise _stopped() from None
            self._on_error(execution, error)
            raise
        except (Retry, BlockFailed):
            raise
        except Exception as error:
            self._on_error(execution, error)
            raise
        finally:
            del self._running[execution]


def _stopped() -> BlockFailed:
    return BlockFailed(STOPPED_CODE, "The run was stopped by the developer.")
