"""Whether a run may still act on its dialog, and which of its requests are in flight."""

import asyncio
import math
from collections.abc import Awaitable
from typing import TypeVar

from vertexkit.context.branches import Branches, start_outside_of_handlers
from vertexkit.errors import ExecutionEnded, VertexkitError

T = TypeVar("T")


class HandlerSuspended(BaseException):
    """Leaves a `def` handler that waits, so that its thread is free; the handler runs again later.

    It does not inherit from `Exception`, so that `except Exception` in the handler does not catch it,
    as it does not catch the cancellation of an `async def` handler.
    """


class Lifetime:
    """The time in which one run of a handler, or of an `on_failure` hook, may act.

    An attempt and the context of its handler share a lifetime. It refers to neither of them, so
    that the two do not keep each other alive.

    Args:
        deadline: When the run is ended: a time of the clock's `now()`.
        latest: To what the deadline can be extended; None: it cannot.
    """

    def __init__(self, deadline: float = math.inf, latest: float | None = None) -> None:
        self.deadline: float = deadline
        """When the run is ended: a time of the clock's `now()`."""
        self._latest = latest
        self._closed_by: VertexkitError | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self.branches: Branches = Branches()
        """The tasks of the run's code."""
        self.is_suspended: bool = False
        """The run has ended because its handler waits, and will run again."""

    @property
    def is_open(self) -> bool:
        """The lifetime has not ended."""
        return self._closed_by is None

    def close(self, reason: VertexkitError) -> None:
        """End the lifetime: from now on `check_open` raises `reason`. The first reason counts."""
        if self._closed_by is None:
            self._closed_by = reason
            self.branches.report_change()

    def suspend(self) -> None:
        """End the lifetime, because the handler waits and runs again later."""
        self.is_suspended = True
        self.close(ExecutionEnded("the handler waits, and runs again from the top"))

    def extend(self, seconds: float) -> None:
        """Move the deadline by some seconds, at most to the latest possible time.

        Raises:
            VertexkitError: As for `check_open`.
            RuntimeError: The deadline of this run cannot be extended.
        """
        self.check_open()
        if self._latest is None:
            raise RuntimeError(
                "the deadline of an on_failure hook, and of a block without the option "
                "max_timeout=SECONDS, cannot be extended"
            )
        self.deadline = max(self.deadline, min(self.deadline + seconds, self._latest))

    def check_open(self) -> None:
        """Raise the reason if the lifetime has ended.

        Raises:
            VertexkitError: the reason that was given to `close`.
        """
        if self._closed_by is not None:
            raise self._closed_by

    async def wait_for_requests(self) -> None:
        """Wait until no request is in flight. No request starts after `close`."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def uninterrupted(self, request: Awaitable[T]) -> T:
        """Run a request in a task of its own, so that cancelling the caller does not cancel it.

        Args:
            request: The request; it is awaited to its end in any case.

        Returns:
            What the request returns.

        Raises:
            Exception: What the request raises.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                value = await request
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                if not result.done():
                    result.set_exception(error)
            else:
                if not result.done():
                    result.set_result(value)

        task = start_outside_of_handlers(run())
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        return await result
