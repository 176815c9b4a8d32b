"""A clock whose waits take no time, for tests: it replaces `Clock`."""

import asyncio
import math
import threading
from collections.abc import Callable
from enum import Enum

from vertexkit.clock import Clock, Timer
from vertexkit.testing.pool_threads import pool_threads

SETTLE_ROUNDS = 50
"""Rounds of the event loop before and after `SETTLE_SECONDS`, for work that moves between tasks."""
SETTLE_SECONDS = 0.001
"""Real seconds that sockets and threads get before time jumps."""
QUIET_CHECK_SECONDS = 0.01
"""Real seconds between two checks whether the event loop has nothing to do."""
QUIET_CHECKS = 5
"""Checks in a row after which the event loop counts as idle."""
IDLE_CHECKS = 100
"""The same for `Wait.IDLE`: about a second, because a handler may only look idle."""
TIMER_THREAD = "vertexkit timer"
SEEN_THREADS = (TIMER_THREAD, "asyncio_", "AnyIO worker thread")
"""Prefixes of the names of threads whose work for a handler the clock sees."""
TOLERANCE_SECONDS = 1e-6
"""A wait that is due this soon is due: sums of floats are not exact."""
SOON_SECONDS = 5.0
"""A handler may wait for a timer of other code, for example of the test, that is due this soon."""
OWN_SELECTOR_KEYS = 1
"""Sockets in the selector of an event loop that waits for nothing: the one that wakes it up."""


class Wait(Enum):
    """What a wait does to the clock."""

    TIMER = "timer"
    """Nothing: it ends when other waits, or real time, have advanced the clock far enough."""
    SLEEP = "sleep"
    """The clock jumps to its end as soon as tasks have nothing to do."""
    AUTHOR_SLEEP = "author_sleep"
    """As `SLEEP`, but real time passes while a thread works, and sockets get some time to answer."""
    AUTHOR_TIMER = "author_timer"
    """As `AUTHOR_SLEEP`, but only if no socket is open either, and no thread of a pool works: it may be
    the limit for an answer."""
    IDLE = "idle"
    """As `AUTHOR_TIMER`, but only for handlers whose waits take no time, after a longer time in which
    nothing has happened, if no thread may work for them that was not at work before, and no timer of
    other code is due soon: the test may be about to do something."""


class VirtualClock(Clock):
    """A clock that jumps to the next sleeper's time as soon as there is nothing else to do.

    `now()` and `unix()` are real time plus the skipped time, so they always advance and never go
    back. Sleepers wake one at a time, in the order of their times, and the work that one of them
    starts is done before the next jump.

    The clock does not see waits outside of it (a thread, a socket, `asyncio.sleep`): time may jump
    during them. A wait that must not advance time, such as a deadline, uses `timer`. For the code
    of handlers, `LoopTimers` brings the waits of asyncio to this clock.
    """

    def __init__(self) -> None:
        self._skipped = 0.0
        self._holds_durable_waits = False
        self._schedules: dict[asyncio.AbstractEventLoop, _Schedule] = {}

    @property
    def skipped(self) -> float:
        """Seconds by which the clock is ahead of real time."""
        return self._skipped

    def now(self) -> float:
        """Return monotonic seconds: real time plus skipped time."""
        return super().now() + self._skipped

    def unix(self) -> float:
        """Return seconds since 1970: real time plus skipped time."""
        return super().unix() + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has advanced by these seconds: after some milliseconds at most."""
        if seconds > 0:
            await self._schedule().sleep(self.now() + seconds)
        else:
            await asyncio.sleep(0)

    async def sleep_durably(self, seconds: float) -> None:
        """Do the same as `sleep`; while durable waits are held, the clock does not jump for it."""
        if not self._holds_durable_waits:
            await self.sleep(seconds)
            return
        over = asyncio.Event()
        timer = self.timer(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    def hold_durable_waits(self) -> None:
        """Let executions that are suspended from now on wait until `advance`."""
        self._holds_durable_waits = True

    async def advance(self, seconds: float) -> None:
        """Advance the clock by these seconds, and let everything happen that is due until then."""
        await _settle()
        schedule, target = self._schedule(), self.now() + seconds
        while schedule.run_first(target):
            await _settle()
        self.skip_to(target)
        schedule.arm()
        await _settle()

    def timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has advanced by these seconds; a timer causes no jump."""
        return self.wait(Wait.TIMER, seconds, callback)

    def pause_timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has advanced by these seconds, which takes no real time.

        If handlers have real time, it does: the clock does not see what else they wait for.
        """
        kind = Wait.AUTHOR_SLEEP if self._schedule().has_virtual_waits else Wait.TIMER
        return self.wait(kind, seconds, callback)

    def idle_timer(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has advanced by these seconds, and do as `Wait.IDLE` says.

        While durable waits are held, the test decides how much time passes: the clock does not jump.
        """
        kind = Wait.TIMER if self._holds_durable_waits else Wait.IDLE
        return self.wait(kind, seconds, callback)

    def wait(self, kind: Wait, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once the clock has advanced by these seconds.

        Args:
            kind: what the wait does to the clock.
            seconds: from now.
            callback: what is called.

        Returns:
            A timer that can be cancelled.
        """
        schedule = self._schedule()
        wait = _Wait(schedule, self.now() + seconds, callback, kind)
        schedule.watch()
        return wait

    def hold_while(self, check: Callable[[], object]) -> Callable[[], None]:
        """Let real time pass, instead of the waits of authors, while a thread works on the loop.

        Args:
            check: returns something true while a thread works.

        Returns:
            A function that removes the check.
        """
        checks = self._schedule().thread_checks
        checks.append(check)
        return lambda: checks.remove(check)

    def skip_to(self, due: float) -> None:
        """Advance `now()` to `due` at once, without waking the sleepers in between."""
        self._skipped += max(0.0, due - self.now())

    def _schedule(self) -> "_Schedule":
        loop = asyncio.get_running_loop()
        schedule = self._schedules.get(loop)
        if schedule is None:
            schedule = self._schedules[loop] = _Schedule(self, loop)
        return schedule


def real_timer(
    loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
) -> Timer:
    """Call back on the loop after real seconds, also while a test has frozen the time.

    freezegun freezes `loop.time()`, and with it all timers of an event loop.
    """
    if loop.time() != loop.time():  # it advances, even between two calls
        return loop.call_later(seconds, callback)
    return _ThreadTimer(loop, seconds, callback)


class _ThreadTimer:
    """A timer that does not need the event loop's time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._callback: Callable[[], object] | None = callback
        self._thread = threading.Timer(seconds, self._wake)
        self._thread.name = TIMER_THREAD
        self._thread.daemon = True
        self._thread.start()

    def cancel(self) -> None:
        self._callback = None
        self._thread.cancel()

    def _wake(self) -> None:
        try:
            # In the next turn, in which the loop has nothing else to do than this.
            self._loop.call_soon_threadsafe(self._loop.call_soon, self._call)
        except RuntimeError:  # the loop was closed
            return

    def _call(self) -> None:
        if self._callback is not None:
            self._callback()


class _Schedule:
    """All sleepers and timers of one event loop."""

    def __init__(self, clock: VirtualClock, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = clock
        self.loop = loop
        self.waits: list[_Wait] = []
        self.thread_checks: list[Callable[[], object]] = []
        self._watching = False
        self._quiet_checks = 0
        pools = pool_threads()
        self._other_threads = {
            thread for thread in threading.enumerate() if pools.get(thread.ident or 0, True)
        }
        """Threads that work for other code, or for none."""

    @property
    def has_virtual_waits(self) -> bool:
        """Whether a handler runs whose waits take no time."""
        return bool(self.thread_checks)

    async def sleep(self, due: float) -> None:
        woken = asyncio.Event()
        wait = _Wait(self, due, woken.set, Wait.SLEEP)
        self.watch()
        try:
            await woken.wait()
        finally:
            wait.cancel()

    def watch(self) -> None:
        """Watch for the moment to jump, unless that is done already."""
        if not self._watching:
            self._quiet_checks = 0
            self._watch(0)

    def _watch(self, step: int) -> None:
        kinds = {wait.kind for wait in self.waits} - {Wait.TIMER}
        self._watching = bool(kinds)
        if not kinds:
            return
        if kinds == {Wait.IDLE}:  # most handlers end before the first check
            step = max(step, SETTLE_ROUNDS)
        if step == SETTLE_ROUNDS:
            quick = Wait.SLEEP in kinds or (Wait.AUTHOR_SLEEP in kinds and self._quiet_checks == 0)
            seconds = SETTLE_SECONDS if quick else QUIET_CHECK_SECONDS
            real_timer(self.loop, seconds, lambda: self._check(kinds, step + 1))
            return
        self.loop.call_soon(self._watch, (step + 1) % (2 * SETTLE_ROUNDS))
        if step == 2 * SETTLE_ROUNDS - 1 and self._may_jump(kinds):
            self._jump()

    def _check(self, kinds: set[Wait], step: int) -> None:
        """Count how long the event loop has had nothing to do."""
        if getattr(self.loop, "_ready", None):
            self._quiet_checks = 0
        elif kinds and Wait.SLEEP not in kinds:
            self._quiet_checks += 1
        self._watch(step)

    def _may_jump(self, kinds: set[Wait]) -> bool:
        if Wait.SLEEP in kinds:
            return True
        if any(runs() for runs in self.thread_checks):
            self._quiet_checks = 0
            return False
        is_idle = self._quiet_checks >= QUIET_CHECKS
        if Wait.AUTHOR_SLEEP in kinds:
            return is_idle or not _may_have_sockets(self.loop)
        if not is_idle or _may_have_sockets(self.loop):
            return False
        if Wait.AUTHOR_TIMER in kinds:
            return not self._has_working_thread(only_pools=True)
        return self._is_left_alone()

    def _is_left_alone(self) -> bool:
        """Whether handlers, whose waits take no time, wait for what probably never happens."""
        if not self.has_virtual_waits or self._quiet_checks < IDLE_CHECKS:
            return False
        return not self._has_working_thread() and not self._has_foreign_timer()

    def _has_working_thread(self, *, only_pools: bool = False) -> bool:
        """Whether there are threads that may work for a handler, for example of a pool of its own.

        Args:
            only_pools: leave out other threads, of which it is not known whether they work.
        """
        pools = pool_threads()
        return any(
            pools.get(thread.ident or 0, not only_pools)
            for thread in set(threading.enumerate()) - self._other_threads
            if not thread.name.startswith(SEEN_THREADS)
        )

    def _has_foreign_timer(self) -> bool:
        """Whether a timer of other code, for example of the test, is due soon."""
        own = {wait.handle for wait in self.waits}
        timers: list[asyncio.TimerHandle] = getattr(self.loop, "_scheduled", [])
        soon = self.loop.time() + SOON_SECONDS
        return any(
            timer.when() < soon and not timer.cancelled() and timer not in own for timer in timers
        )

    def _jump(self) -> None:
        self._quiet_checks = 0
        self.run_first(math.inf)

    def arm(self) -> None:
        """Set all timers again, after the clock has skipped time."""
        for wait in self.waits:
            wait.arm()

    def run_first(self, until: float) -> bool:
        """Jump to the first wait and end it; return False if none ends before a time."""
        first = min(self.waits, key=lambda wait: wait.due, default=None)
        if first is None or first.due > until:
            return False
        self.clock.skip_to(first.due)
        self.arm()
        first.end()
        return True


async def _settle() -> None:
    """Let the work go on that has become possible."""
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)


def _may_have_sockets(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop may wait for a socket; True for loops that do not show it (uvloop)."""
    selector = getattr(loop, "_selector", None)
    keys = getattr(selector, "get_map", lambda: None)()
    return keys is None or len(keys) > OWN_SELECTOR_KEYS


class _Wait:
    """A sleeper, which makes time jump, or a timer, which uses a timer of the event loop."""

    def __init__(
        self, schedule: _Schedule, due: float, callback: Callable[[], object], kind: Wait
    ) -> None:
        self.due = due
        self.kind = kind
        self._schedule = schedule
        self._callback = callback
        self.handle: asyncio.TimerHandle | None = None
        schedule.waits.append(self)
        self.arm()

    def arm(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
        if self.kind is not Wait.SLEEP:
            remaining = self.due - self._schedule.clock.now()
            self.handle = self._schedule.loop.call_later(max(0.0, remaining), self.fire)

    def fire(self) -> None:
        if self._schedule.clock.now() < self.due - TOLERANCE_SECONDS:
            self.arm()
        else:
            self.end()

    def end(self) -> None:
        self.cancel()
        self._callback()

    def cancel(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
        if self in self._schedule.waits:
            self._schedule.waits.remove(self)
