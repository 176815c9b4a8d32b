"""The tasks that a handler starts for itself: branches of its run that work side by side."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from vertexkit.clock import Timer
from vertexkit.errors import (
    DeadlineExceeded,
    DialogGone,
    Fenced,
    NonDeterministic,
    ShuttingDown,
)

EXITS = (SystemExit, KeyboardInterrupt)
"""Exceptions that asyncio raises out of the event loop, so that the whole process ends."""
ENDS_OF_RUNS = (Fenced, NonDeterministic, DeadlineExceeded, ShuttingDown, DialogGone)
"""What every call raises when the run is over: it is the run's outcome, which is logged once."""
T = TypeVar("T")
TaskFactory: TypeAlias = Callable[..., asyncio.Future[Any]]
StartTimer: TypeAlias = Callable[[float, Callable[[], object]], Timer]

_current: ContextVar["Branches | None"] = ContextVar("vertexkit_branches", default=None)


class HandlerExited(RuntimeError):
    """A handler called `sys.exit()` or raised KeyboardInterrupt: its block fails, no more."""

    def __init__(self, error: BaseException) -> None:
        call = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else "KeyboardInterrupt"
        super().__init__(f"{call} in a handler ends its execution, not the service")


class RunningBranches(NamedTuple):
    """Tasks of a handler that may still make a call; see `Branches.besides`."""

    elsewhere: set[asyncio.Future[Any]]
    parents: set[asyncio.Future[Any]]
    """They have started one of the tasks, and are not seen to wait for it."""


class Branches:
    """The tasks that the code of one run has started, and that still run."""

    def __init__(self) -> None:
        self.on_exit: Callable[[HandlerExited], object] = _ignore
        """Called when one of them calls `sys.exit()` or raises KeyboardInterrupt."""
        self._main: asyncio.Task[Any] | None = None
        """The task of the handler itself."""
        self._thread: int | None = None
        """The thread of a `def` handler."""
        self._other_threads: set[threading.Thread] = set()
        """Other threads of a `def` handler that have made calls."""
        self._parents: dict[asyncio.Future[Any], asyncio.Task[Any] | None] = {}
        """The task that has started each task which still runs; None: no task has."""
        self.waiting: set[asyncio.Future[Any]] = set()
        """Tasks in a durable wait: they make no call until it is over."""
        self.working: set[asyncio.Future[Any]] = set()
        """Tasks that run a step: they do not wait for the tasks that they have started."""
        self.changes: int = 0
        """How often `report_change` was called."""
        self._change: asyncio.Future[None] | None = None
        """Is done at the next change, if one is awaited."""

    def enter(self) -> None:
        """Count the current task, and every task that it starts, as branches of this run."""
        _current.set(self)
        task = asyncio.current_task()
        if task is not None:
            self._main = task
            self._add(task, None)

    def exited(self, error: BaseException) -> HandlerExited:
        """Report that one of them has raised one of `EXITS`; return what it raises instead."""
        exited = HandlerExited(error)
        exited.__cause__ = error
        self.on_exit(exited)
        return exited

    def running(self) -> set[asyncio.Future[Any]]:
        """Return the tasks that still run."""
        return set(self._parents)

    def enter_thread(self) -> None:
        """Count the current thread as the one in which a `def` handler runs."""
        self._thread = threading.get_ident()

    @contextmanager
    def call_from_thread(self) -> Iterator[None]:
        """A context for a call that a thread of a `def` handler makes."""
        if threading.get_ident() != self._thread:
            self._other_threads.add(threading.current_thread())
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def work(self) -> Iterator[None]:
        """A context in which the current task runs a step."""
        task = asyncio.current_task()
        if task is None or task in self.working:  # a step within a step
            yield
            return
        self.working.add(task)
        try:
            yield
        finally:
            self.working.discard(task)
            self.report_change()

    def parents_of(self, tasks: Iterable[asyncio.Future[Any]]) -> set[asyncio.Future[Any]]:
        """Return the running tasks that have started these tasks, directly or not."""
        found: set[asyncio.Future[Any]] = set()
        if any(thread.is_alive() for thread in self._other_threads):
            return found  # each may make a call, and none has a task that shows it
        for task in tasks:
            parent = self._parents.get(task)
            while parent is not None and parent not in found:
                found.add(parent)
                parent = self._parents.get(parent)
        return found & self._parents.keys()

    def besides(self, tasks: Iterable[asyncio.Future[Any]]) -> RunningBranches:
        """Return which tasks may still make a call, besides these tasks and those that wait."""
        quiet = self.waiting.union(tasks)
        parents = self.parents_of(quiet)
        active = {parent for parent in parents if not self.is_waiting(parent)}
        elsewhere = self.running() - (parents - self.working) - quiet
        return RunningBranches(elsewhere, active - quiet - self.working)

    def is_waiting(self, task: asyncio.Future[Any]) -> bool:
        """Check whether a task is seen to wait for one that it has started, or for several.

        It is if it awaits the task or `asyncio.gather`, and if it awaits a handler's thread. For
        other ways (a task group) there is no telling.
        """
        if task is self._main and self._thread is not None:
            return True
        awaited = getattr(task, "_fut_waiter", None)
        children = [awaited, *getattr(awaited, "_children", ())]
        return any(self._parents.get(child) is task for child in children if child is not None)

    def report_change(self) -> None:
        """Wake what waits in `wait_for_change`: a task has ended, or made a call."""
        self.changes += 1
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    async def wait_for_change(self, seconds: float, start_timer: StartTimer) -> None:
        """Wait until `report_change` is called, or the time is up.

        Args:
            seconds: How long.
            start_timer: The method of a clock that measures it.
        """
        if self._change is None or self._change.done():
            self._change = asyncio.get_running_loop().create_future()
        timer = start_timer(max(0.0, seconds), self.report_change)
        try:
            await asyncio.shield(self._change)
        finally:
            timer.cancel()

    def start(self, coroutine: Coroutine[Any, Any, Any], make: TaskFactory) -> asyncio.Future[Any]:
        """Start a task of the handler's.

        Args:
            coroutine: What it runs.
            make: Makes the task.
        """
        guarded = _Guarded(coroutine, self)
        task = make(guarded)
        task.add_done_callback(guarded.retrieve_end)
        # What a `def` handler's thread starts, is started by no task: its own waits for the thread.
        self._add(task, asyncio.current_task() or self._main)
        return task

    def _add(self, task: asyncio.Future[Any], parent: asyncio.Task[Any] | None) -> None:
        self._parents[task] = parent
        task.add_done_callback(self._remove)

    def _remove(self, task: asyncio.Future[Any]) -> None:
        del self._parents[task]
        if task is self._main:
            self._main = None  # its context refers to this object: no reference cycle is left
        self.report_change()


def _ignore(*_: object) -> None:
    pass


class _Guarded(Coroutine[Any, Any, Any]):
    """A coroutine that raises no `EXITS`; otherwise as the one that it is made from."""

    __slots__ = ("_branches", "_coroutine", "_is_end")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], branches: Branches) -> None:
        self._coroutine = coroutine
        self._branches = branches
        self._is_end = False
        """It has raised one of `EXITS` or `ENDS_OF_RUNS`."""

    def retrieve_end(self, task: asyncio.Future[Any]) -> None:
        """Retrieve an exception that is logged as the run's, so that asyncio does not log it too."""
        if self._is_end and not task.cancelled():
            task.exception()

    def send(self, value: Any, /) -> Any:
        try:
            return self._coroutine.send(value)
        except EXITS as error:
            self._is_end = True
            raise self._branches.exited(error) from error
        except ENDS_OF_RUNS:
            self._is_end = True
            raise

    def throw(self, *error: Any) -> Any:
        try:
            return self._coroutine.throw(*error)
        except EXITS as exit_:
            self._is_end = True
            raise self._branches.exited(exit_) from exit_
        except ENDS_OF_RUNS:
            self._is_end = True
            raise

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)


def start_outside_of_handlers(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task of vertexkit's own while a handler's code runs."""
    token = _current.set(None)
    try:
        return asyncio.get_running_loop().create_task(coroutine)
    finally:
        _current.reset(token)


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
) -> asyncio.Future[Any]:
    return asyncio.Task(coroutine, loop=loop, **options)


@contextmanager
def tracked_tasks() -> Iterator[None]:
    """A context in which the running event loop knows which tasks handlers start.

    Several services in one event loop each have one.
    """
    loop = asyncio.get_running_loop()
    previous = loop.get_task_factory()
    make: TaskFactory = previous or _make_task

    def start(
        loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Future[Any]:
        branches = _current.get()
        if branches is None or isinstance(coroutine, _Guarded):  # another service has seen it
            return make(loop, coroutine, **options)
        return branches.start(coroutine, partial(make, loop, **options))

    loop.set_task_factory(start)
    try:
        yield
    finally:
        if loop.get_task_factory() is start:
            loop.set_task_factory(previous)
