"""How handlers are run: the app's limits, its middleware and its hook for failures."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import anyio

from vertexkit.context.context import Context
from vertexkit.execution import Execution
from vertexkit.failure import Failure
from vertexkit.settings import HandlerSettings

OnFailure: TypeAlias = Callable[[Context, Failure], Awaitable[Any]]
"""Called when a block failed. The block is completed with what it returns; if it returns None,
with `Failure.result`."""


class Next(Protocol):
    """What a middleware wraps: the next middleware, or the handler."""

    def __call__(self, ctx: Context, /) -> Awaitable[Any]:
        """Run it, and return the handler's result."""


class Middleware(Protocol):
    """Wraps every handler: `async def timing(ctx, call_next): return await call_next(ctx)`."""

    def __call__(self, ctx: Context, /, call_next: Next) -> Awaitable[Any]:
        """Run the handler with `await call_next(ctx)`, and return its result."""


class HandlerObserver(Protocol):
    """Is informed about the handlers of a process."""

    def handler_starting(self, execution: Execution) -> None:
        """The handler of this execution is about to run; its inputs are valid."""


@dataclass(frozen=True, slots=True)
class HandlerPolicy:
    """The app's rules for every run of a handler."""

    settings: HandlerSettings
    threads: anyio.CapacityLimiter
    """Limits the threads of `def` handlers."""
    middleware: Sequence[Middleware] = ()
    """The first one is the outermost."""
    on_failure: OnFailure | None = None
    observer: HandlerObserver | None = None
