"""Background tasks of a process: none of them ends without being noticed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

PACKAGE = f"{Path(__file__).parents[1]}/"
ELSEWHERE = frozenset({"future", "task", "protocol", "transport"})
"""Keys of the event loop's report of an exception that ends only one connection, or a task that
an author's code has started."""
CONNECTION_CALLBACKS = frozenset({"connection_made", "connection_lost"})

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Supervisor:
    """Starts background tasks, and reports each one that dies.

    A task that nothing awaits can die unnoticed: the process then answers calls, and does nothing
    about them. A supervised task that raises, or that ends although it has no end, is logged with
    its traceback, and `on_failure` ends the process, so that the next one continues from the
    journal. The same applies to callbacks of the event loop (`watch_callbacks`) and to functions
    that run on a thread of their own (`report`).

    Args:
        on_failure: Called on the event loop with the name of what died and its error.
    """

    def __init__(self, on_failure: Callable[[str], object]) -> None:
        self._on_failure = on_failure
        self._endless: set[asyncio.Task[None]] = set()

    def start(
        self, name: str, work: Coroutine[Any, Any, None], *, endless: bool = True
    ) -> asyncio.Task[None]:
        """Run a coroutine in a task of its own.

        Args:
            name: What the task does, for the log.
            work: The coroutine.
            endless: It runs until `cancel`: any other end is a failure. Otherwise it may return
                or be cancelled.

        Returns:
            The task.
        """
        task = asyncio.get_running_loop().create_task(work)
        if endless:
            self._endless.add(task)
        task.add_done_callback(lambda task: self._check_end(name, task))
        return task

    def cancel(self, *tasks: asyncio.Task[None]) -> None:
        """Cancel endless tasks."""
        for task in tasks:
            self._endless.discard(task)
            task.cancel()

    def report(self, name: str, error: BaseException | None) -> None:
        """Report that something in the background has died; called on the event loop.

        Args:
            name: What it did.
            error: Why it died; None: it ended without an error.
        """
        log.critical("background_task_failed", task=name, exc_info=error)
        reason = f"{type(error).__name__}: {error}" if error is not None else "it ended"
        self._on_failure(f"{name}: {reason}")

    @contextmanager
    def watch_callbacks(self) -> Iterator[None]:
        """A context in which a failed callback of vertexkit's own is a failure.

        asyncio only logs the exceptions of timers and of other callbacks of its event loop. Those
        of authors and of libraries are still only logged.
        """
        loop = asyncio.get_running_loop()
        previous = loop.get_exception_handler()

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            is_ended_elsewhere = not ELSEWHERE.isdisjoint(context)
            if error is not None and not is_ended_elsewhere and _is_own(error.__traceback__):
                self.report("callback of the event loop", error)
            elif previous is not None:
                previous(loop, context)
            else:
                loop.default_exception_handler(context)

        loop.set_exception_handler(handle)
        try:
            yield
        finally:
            if loop.get_exception_handler() is handle:
                loop.set_exception_handler(previous)

    def _check_end(self, name: str, task: asyncio.Task[None]) -> None:
        is_cut_short = task in self._endless
        self._endless.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if is_cut_short or not (error is None or task.cancelled()):
            self.report(name, error)


def _is_own(traceback: TracebackType | None) -> bool:
    """Check whether the first function below the event loop's own is one of vertexkit."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if "asyncio" not in file and "uvloop" not in file:
            is_connection = traceback.tb_frame.f_code.co_name in CONNECTION_CALLBACKS
            return file.startswith(PACKAGE) and not is_connection
        traceback = traceback.tb_next
    return False
