"""The author's app as the playground runs it: its errors are reported, its runs can be stopped."""

import asyncio
from collections.abc import Callable
from typing import Any

from vertexkit.app import App
from vertexkit.context.context import Context
from vertexkit.errors import BlockFailed, Retry
from vertexkit.testing.wrapped_app import WrappedApp
from vertexkit.worker.policy import Next

STOPPED_CODE = "stopped"
"""Code of a block whose run was stopped by the developer."""

ErrorObserver = Callable[[str, Exception], object]
"""Called with the execution's id and what its handler raised."""


class ObservedApp(WrappedApp):
    """The definition of an app, with a middleware around all others.

    Args:
        app: of the author.
        on_error: is called with each error of a handler.
    """

    def __init__(self, app: App[Any], on_error: ErrorObserver) -> None:
        super().__init__(app)
        self._on_error = on_error
        self._running: dict[str, asyncio.Timeout] = {}
        self._stopped: set[str] = set()

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
