"""An app as the testing kit runs it: its handlers are observed, and their waits are virtual."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from vertexkit.app import App
from vertexkit.context.context import Context
from vertexkit.errors import Retry
from vertexkit.failure import Failure
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.loop_timers import virtual_waits
from vertexkit.testing.platform.app import DEFAULT_LOGIN, DEFAULT_PASSWORD
from vertexkit.testing.wrapped_app import WrappedApp
from vertexkit.worker.policy import Next, OnFailure

DEFAULT_SETTINGS: dict[str, Any] = {
    "platform_url": "http://platform.test/api",
    "login": DEFAULT_LOGIN,
    "password": DEFAULT_PASSWORD,
    "journal": "memory:",
    "lease": 1e9,
    "grace": 5.0,
}
"""Settings of an app in a test, by their flat names."""


class AppUnderTest(WrappedApp):
    """The definition of an app, with a middleware of the kit around all others.

    Args:
        app: of the author.
        clock: for the waits of handlers, middleware and hooks; None: real time.
    """

    def __init__(self, app: App[Any], clock: VirtualClock | None) -> None:
        super().__init__(app)
        self.errors: dict[str, Exception] = {}
        """What a handler raised last, by the execution's id."""
        self._clock = clock

    @property
    def on_failure(self) -> OnFailure | None:
        hook = self._app.on_failure
        if hook is None:
            return None

        async def call(ctx: Context, failure: Failure) -> Any:
            with self._waits():
                return await hook(ctx, failure)

        return call

    async def _observe(self, ctx: Context, /, call_next: Next) -> Any:
        self.errors.pop(ctx.execution_id, None)
        try:
            with self._waits():
                return await call_next(ctx)
        except Retry:
            raise
        except Exception as error:
            self.errors[ctx.execution_id] = error
            raise

    def _waits(self) -> AbstractContextManager[None]:
        return nullcontext() if self._clock is None else virtual_waits(self._clock)
