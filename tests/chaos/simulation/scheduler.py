"""Virtual time, and an event loop for each simulated process.

A simulation has no threads, no sockets and no real time. Each process has an event loop of its own,
and the scheduler decides, with random numbers of the seed, which of them runs its next callback.
Within one loop the order of callbacks is asyncio's, which the code may rely on. Every callback takes
some time, so that timers, answers of the disk and messages of the network come in between.
"""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any, cast

from vertexkit.clock import Clock

EPOCH = 1_700_000_000.0
"""Unix time at which a simulation starts."""
NEVER = float("inf")


class SimulationStuck(AssertionError):
    """Nothing is left to run, or the simulation takes too long."""


class _Task(asyncio.Task[Any]):
    """A task whose hash is a number of its loop, so that sets of tasks have the same order."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    """A future whose hash is a number of its loop."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """The event loop of one process. Files, sockets and threads are replaced by the simulation.

    Args:
        scheduler: knows the time, and runs the callbacks.
        name: of the process.
    """

    alive = False

    def __init__(self, scheduler: "Scheduler", name: str) -> None:
        super().__init__()
        self.name = name
        self.alive = True
        self.frozen_until = 0.0
        """When the process continues that was stopped, as by SIGSTOP."""
        self.turns = 0
        """Callbacks that it has run."""
        self.tasks: list[asyncio.Task[Any]] = []
        self._scheduler = scheduler
        self._numbers = count(1)
        self._watched: tuple[int, asyncio.Future[None]] | None = None
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._scheduler.now

    def is_running(self) -> bool:
        return self.alive

    def create_future(self) -> asyncio.Future[Any]:
        future = _Future(loop=self)
        future.number = next(self._numbers)
        return future

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Future[Any]:
        task = _Task(coroutine, loop=loop, **options)
        task.number = next(self._numbers)
        self.tasks.append(task)
        return task

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run a function later, as a thread would."""
        future = self.create_future()

        def run() -> None:
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - raised where the result is awaited
                future.set_exception(error)

        self.call_later(self._scheduler.latency(), run)
        return future

    async def create_unix_server(self, protocol_factory: Any, *_: Any, **options: Any) -> Any:
        return options["sock"].listen(self, protocol_factory)

    async def create_unix_connection(self, protocol_factory: Any, path: Any, **_: Any) -> Any:  # pyrefly: ignore[bad-override]
        return await self._scheduler.connect(self, protocol_factory, str(path))

    def after_turns(self, turns: int, reached: asyncio.Future[None]) -> None:
        """Set a future of another loop when this one has run a number of further callbacks."""
        self._watched = self.turns + turns, reached

    def run_one(self) -> None:
        """Run the next callback."""
        handle = self._ready.popleft()  # pyrefly: ignore[missing-attribute]
        if handle.cancelled():
            return
        self.turns += 1
        events._set_running_loop(self)
        try:
            handle._run()
        finally:
            events._set_running_loop(None)
        if self._watched is not None and self._watched[0] <= self.turns:
            _, reached = self._watched
            self._watched = None
            if not reached.done():
                reached.set_result(None)
        if len(self.tasks) > 500:  # forget most of what has ended
            self.tasks = [task for task in self.tasks if not task.done()]

    def next_turn(self) -> float:
        """Return when it has something to run; make ready what is due."""
        if not self.alive:
            return NEVER
        now, timers = self._scheduler.now, self._scheduled  # pyrefly: ignore[missing-attribute]
        if self.frozen_until > now:
            return self.frozen_until
        while timers and (timers[0].cancelled() or timers[0].when() <= now):
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer.cancelled():
                self._ready.append(timer)  # pyrefly: ignore[missing-attribute]
        if self._ready:  # pyrefly: ignore[missing-attribute]
            return now
        return cast("float", timers[0].when()) if timers else NEVER

    def discard(self) -> None:
        """End the coroutines of a process that has died, so that no warning is left."""
        self.alive = False
        self.set_exception_handler(lambda *_: None)  # nothing awaits its last errors any more
        events._set_running_loop(self)
        try:
            for task in self.tasks:
                if not task.done():
                    task._log_destroy_pending = False  # pyrefly: ignore[missing-attribute]
                    with suppress(BaseException):  # it ends, whatever its code does then
                        cast("Any", task.get_coro()).close()
        finally:
            events._set_running_loop(None)
        self.tasks.clear()
        self._ready.clear()  # pyrefly: ignore[missing-attribute]
        self._scheduled.clear()  # pyrefly: ignore[missing-attribute]
        self._closed = True


class SimulatedClock(Clock):
    """The scheduler's time."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler

    def now(self) -> float:
        return self._scheduler.now

    def uptime(self) -> float:
        return self._scheduler.now

    def unix(self) -> float:
        return EPOCH + self._scheduler.now


class Scheduler:
    """Runs the callbacks of all loops, one at a time.

    Args:
        random: decides which loop is next, and how long everything takes.
    """

    def __init__(self, random: Random) -> None:
        self.now = 0.0
        self.turns = 0
        self.clock = SimulatedClock(self)
        self.connect: Callable[..., Any]
        self._random = random
        self._loops: list[SimulatedLoop] = []
        self._dead: list[SimulatedLoop] = []
        self._pace = random.choice((1e-6, 2e-5, 2e-4))
        """Longest time of a callback."""

    def loop(self, name: str) -> SimulatedLoop:
        """Make the loop of a new process."""
        loop = SimulatedLoop(self, name)
        self._loops.append(loop)
        return loop

    def remove(self, loop: SimulatedLoop) -> None:
        """Stop the loop of a process that has ended or died; nothing of it runs any more."""
        loop.alive = False
        if loop in self._loops:
            self._loops.remove(loop)
            self._dead.append(loop)  # kept to the end: nothing of it may run when memory is freed

    def latency(self) -> float:
        """Return the duration of something that other parts do meanwhile: short as a rule."""
        draw = self._random.random()
        if draw < 0.3:
            return draw * 1e-4
        return draw * 2e-3 if draw < 0.9 else (draw - 0.9) * 0.5

    def run(self, done: Callable[[], bool], limit: float) -> None:
        """Run until `done`.

        Raises:
            SimulationStuck: nothing is left to run, or the time has passed the limit.
        """
        while not done():
            times = [loop.next_turn() for loop in self._loops]
            first = min(times)
            if first > self.now:
                if first > limit:
                    raise SimulationStuck(f"the simulation has not ended in {limit:.0f} s")
                self.now = first
                continue
            ready = [loop for loop, at in zip(self._loops, times, strict=True) if at <= self.now]
            loop = ready[0] if len(ready) == 1 else self._random.choice(ready)
            loop.run_one()
            self.turns += 1
            self.now += self._random.random() * self._pace

    def close(self) -> None:
        """Free the resources of all loops."""
        for loop in [*self._dead, *self._loops]:
            loop.discard()
