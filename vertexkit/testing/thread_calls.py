"""Counts the threads that work for handlers, so that the clock does not skip their time."""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from vertexkit.testing.handler_run import HANDLER_RUN, HandlerRun

T = TypeVar("T")
RUN_IN_THREAD = "run_sync_in_worker_thread"
"""The method of anyio's backend that every `anyio.to_thread.run_sync` calls."""
SYNC_CONTEXT = "vertexkit.context.sync"
"""Its calls belong to a handler, whatever thread they are made in."""


class ThreadCalls:
    """The calls in threads that an event loop's code awaits, and the calls of threads on the loop.

    A thread that makes a call on the loop waits for it, so it does not work meanwhile. Which thread
    awaits the call does not matter: a `def` handler may wait for threads of its own.
    """

    def __init__(self) -> None:
        self._awaited: dict[object, HandlerRun | None] = {}
        """The calls, and the handler that has made each; None: other code."""
        self._on_loop: set[Future[Any]] = set()

    def is_thread_working(self) -> bool:
        """Whether a thread works for a handler that still runs, or for other code."""
        working = sum(run is None or run.is_running for run in self._awaited.values())
        return working > len(self._on_loop)

    @contextmanager
    def awaited(self, run: HandlerRun | None) -> Iterator[None]:
        """A context in which a call in a thread is awaited."""
        call = object()
        self._awaited[call] = run
        try:
            yield
        finally:
            del self._awaited[call]

    def add(self, call: asyncio.Future[Any], run: HandlerRun | None) -> None:
        """Count a call in a thread, until it is done or cancelled."""
        self._awaited[call] = run
        call.add_done_callback(lambda done: self._awaited.pop(done, None))

    def add_on_loop(self, call: Future[Any]) -> None:
        """Count a call that a thread makes on the loop, until it is done."""
        self._on_loop.add(call)
        call.add_done_callback(self._on_loop.discard)


_OBSERVED: dict[asyncio.AbstractEventLoop, ThreadCalls] = {}
_LOCK = threading.Lock()
"""Loops of several threads may be observed at the same time."""
_RESTORE: list[Callable[[], None]] = []
"""Restores the functions that are replaced while a loop is observed."""


def observe(loop: asyncio.AbstractEventLoop) -> ThreadCalls:
    """Count the calls in threads that the code of the running event loop makes from now on."""
    with _LOCK:
        if not _OBSERVED:
            _replace(anyio.lowlevel.current_token().backend_class, RUN_IN_THREAD, _in_thread)
            _replace(asyncio, "run_coroutine_threadsafe", _on_loop)
            _replace(asyncio, "wrap_future", _of_pool)
        calls = _OBSERVED[loop] = ThreadCalls()
        return calls


def end_observation(loop: asyncio.AbstractEventLoop) -> None:
    """Count no more calls of this loop."""
    with _LOCK:
        del _OBSERVED[loop]
        while _RESTORE and not _OBSERVED:
            _RESTORE.pop()()


def _replace(
    owner: Any, name: str, replacement: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Replace a function of a module, or a method of a class."""
    before = vars(owner)[name]
    function = replacement(getattr(owner, name))
    setattr(owner, name, staticmethod(function) if isinstance(owner, type) else function)
    _RESTORE.append(lambda: setattr(owner, name, before))


def _in_thread(run_in_thread: Callable[..., Any]) -> Callable[..., Any]:
    async def run(
        function: Callable[..., Any],
        args: tuple[Any, ...],
        abandon_on_cancel: bool = False,
        limiter: anyio.CapacityLimiter | None = None,
    ) -> Any:
        calls, handler = _OBSERVED.get(asyncio.get_running_loop()), HANDLER_RUN.get()
        # Other code may have a thread that never ends, and such a thread has a limiter of its own.
        if calls is None or (handler is None and limiter is not None):
            return await run_in_thread(function, args, abandon_on_cancel, limiter)
        # A call that waits for the limiter has no thread yet.
        async with limiter or anyio.to_thread.current_default_thread_limiter():
            with calls.awaited(handler):
                own = anyio.CapacityLimiter(1)
                return await run_in_thread(function, args, abandon_on_cancel, own)

    return run


def _on_loop(run_coroutine: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def run(coro: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
        call = run_coroutine(coro, loop)
        calls = _OBSERVED.get(loop)
        module = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - it is documented
        if calls is not None and (HANDLER_RUN.get() is not None or module == SYNC_CONTEXT):
            calls.add_on_loop(call)
        return call

    return run


def _of_pool(wrap_future: Callable[..., asyncio.Future[Any]]) -> Callable[..., asyncio.Future[Any]]:
    def wrap(
        future: Future[T] | asyncio.Future[T], *, loop: asyncio.AbstractEventLoop | None = None
    ) -> asyncio.Future[T]:
        call, handler = wrap_future(future, loop=loop), HANDLER_RUN.get()
        calls = _OBSERVED.get(call.get_loop())
        if calls is not None and handler is not None and call is not future:
            calls.add(call, handler)
        return call

    return wrap
