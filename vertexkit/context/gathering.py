"""Calls of a handler that run side by side."""

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any


async def gather(awaitables: tuple[Awaitable[Any], ...]) -> tuple[Any, ...]:
    """Await several calls side by side. See `Context.gather`."""
    _check(awaitables)
    # Not a task group: `Branches.is_waiting` sees that a task waits for `asyncio.gather`.
    tasks: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(awaitable) for awaitable in awaitables
    ]
    try:
        return tuple(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            # Not twice: the second time would interrupt what a call does to clean up.
            if not (isinstance(task, asyncio.Task) and task.cancelling()):
                task.cancel()
        # It ends after all of them, even if it is cancelled itself.
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _check(awaitables: tuple[Any, ...]) -> None:
    """Check that all can be awaited; if not, close the coroutines, which will not be awaited.

    Raises:
        TypeError: One cannot be awaited.
    """
    for number, value in enumerate(awaitables, 1):
        if not inspect.isawaitable(value):
            for other in awaitables:
                if inspect.iscoroutine(other):
                    other.close()
            raise TypeError(
                "ctx.gather needs calls that can be awaited, as ctx.step(...) without await; "
                f"argument {number} is {type(value).__name__}"
            )
