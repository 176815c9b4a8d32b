"""Brings the waits of asyncio in an author's handlers to the virtual clock."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Self

from vertexkit.clock import Timer
from vertexkit.testing import thread_calls
from vertexkit.testing.clock import VirtualClock, Wait
from vertexkit.testing.handler_run import HANDLER_RUN, HandlerRun

OWN_PACKAGE = "vertexkit."
"""Modules that use the loop's own time: their waits go through the clock already."""
METHODS = ("time", "call_later", "call_at", "run_in_executor")
_SLEEP_CALLBACK = getattr(asyncio.futures, "_set_result_unless_cancelled", None)
"""What `asyncio.sleep` schedules. If it has another name, a sleep counts as a time limit."""


_REPLACED: "dict[asyncio.AbstractEventLoop, _LoopTimers]" = {}


@contextmanager
def replaced_timers() -> Iterator[None]:
    """Replace the timers of the running event loop inside this context, for handlers only.

    `asyncio.sleep`, `timeout`, `wait_for` and anyio's equivalents call methods of the loop. These
    methods use the virtual clock if they are called inside `virtual_waits`, or in a task that was
    created there; all other code on the loop has real time.
    """
    loop = asyncio.get_running_loop()
    timers = _REPLACED.get(loop)
    if timers is None:
        timers = _REPLACED[loop] = _LoopTimers(loop)
    timers.users += 1
    try:
        yield
    finally:
        timers.users -= 1
        if not timers.users:
            timers.restore()
            del _REPLACED[loop]


@contextmanager
def virtual_waits(clock: VirtualClock) -> Iterator[None]:
    """Let the code inside this context, and the tasks it creates, wait on this clock."""
    handler = HandlerRun(clock)
    threads = _REPLACED[asyncio.get_running_loop()].threads
    release = clock.hold_while(threads.is_thread_working)
    token = HANDLER_RUN.set(handler)
    try:
        yield
    finally:
        handler.is_running = False
        HANDLER_RUN.reset(token)
        release()


class _LoopTimers:
    """The methods that replace those of one event loop.

    Args:
        loop: the event loop; its methods are replaced now.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.users = 0
        self.threads = thread_calls.observe(loop)
        self._in_loop = False
        self._loop = loop
        self._before = {name: vars(loop)[name] for name in METHODS if name in vars(loop)}
        self._time: Callable[[], float] = loop.time
        self._call_later: Callable[..., asyncio.TimerHandle] = loop.call_later
        self._call_at: Callable[..., asyncio.TimerHandle] = loop.call_at
        self._run_in_executor: Callable[..., asyncio.Future[Any]] = loop.run_in_executor
        for name in METHODS:
            setattr(loop, name, getattr(self, name))

    def restore(self) -> None:
        """Give the loop its own methods back."""
        thread_calls.end_observation(self._loop)
        for name in METHODS:
            delattr(self._loop, name)
        for name, method in self._before.items():
            setattr(self._loop, name, method)

    def time(self) -> float:
        handler = self._virtual_caller()
        return self._time() + (0.0 if handler is None else handler.clock.skipped)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handler = self._virtual_caller()
        if handler is None:
            return self._call_loop(self._call_later, delay, callback, *args, context=context)
        when = self._time() + handler.clock.skipped + delay
        call = _VirtualCall(when, callback, args, self._loop, context)
        return call.start(handler.clock, delay)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handler = self._virtual_caller()
        if handler is None:
            return self._call_loop(self._call_at, when, callback, *args, context=context)
        call = _VirtualCall(when, callback, args, self._loop, context)
        return call.start(handler.clock, when - self._time() - handler.clock.skipped)

    def run_in_executor(
        self, executor: Any, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        handler = self._virtual_caller()
        future = self._run_in_executor(executor, function, *args)
        if handler is not None:
            self.threads.add(future, handler)
        return future

    def _call_loop(
        self, method: Callable[..., asyncio.TimerHandle], *args: Any, context: Any
    ) -> asyncio.TimerHandle:
        """Call one of the loop's own methods, which call each other."""
        nested, self._in_loop = self._in_loop, True
        try:
            return method(*args, context=context)
        finally:
            self._in_loop = nested

    def _virtual_caller(self) -> HandlerRun | None:
        """Return the handler that the caller's caller belongs to, if its waits are virtual."""
        handler = HANDLER_RUN.get()
        if handler is None or not handler.is_running or self._in_loop:
            return None
        module = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001 - it is documented
        return None if module.startswith(OWN_PACKAGE) else handler


class _VirtualCall(asyncio.TimerHandle):
    """A callback that the virtual clock calls, instead of the loop."""

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        context = context or copy_context()
        super().__init__(when, callback, args, loop, context)
        is_sleep = callback is _SLEEP_CALLBACK
        self._kind = Wait.AUTHOR_SLEEP if is_sleep else Wait.AUTHOR_TIMER
        self._call = partial(loop.call_soon, callback, *args, context=context)
        self._timer: Timer | None = None
        self._called: asyncio.Handle | None = None

    def start(self, clock: VirtualClock, delay: float) -> Self:
        """Call back after a delay of the clock."""
        self._timer = clock.wait(self._kind, delay, self._end)
        return self

    def cancel(self) -> None:
        """Cancel the callback."""
        asyncio.Handle.cancel(self)
        for handle in (self._timer, self._called):
            if handle is not None:
                handle.cancel()

    def _end(self) -> None:
        """Call back in the loop's next turn, as the loop does itself."""
        if not self.cancelled():
            self._called = self._call()
