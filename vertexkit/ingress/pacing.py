"""Acceptances wait for their turn while executions end and others wait."""

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Callable

from vertexkit.clock import Clock, Timer

ENOUGH_WAITING = 32
"""Waiting executions that keep the handlers busy. More of them make every dialog slower, and no
execution cheaper."""
MAX_WAIT_SECONDS = 0.5
"""An acceptance waits no longer than this, to within `STALL_SECONDS`."""
STALL_SECONDS = 0.1
"""If no execution has ended for this time, then the processor is not what they wait for: handlers
take long, or the platform does. Acceptances do not wait then."""


class Pacing:
    """Decides when a call is accepted while the service has more to do than it can.

    Accepting a call takes less time than running it. Without pacing, callers that call again as soon
    as they are answered keep the service accepting: thousands of executions wait, each for seconds.
    With it, the call of a busy service is accepted when an execution ends, so an execution starts
    soon after its acceptance. A service with time to spare, or one that waits for others, accepts
    every call at once.

    Args:
        backlog: returns how many executions wait.
        queue_limit: how many may wait; a call that is rejected need not wait for it.
        clock: measures the waits.
    """

    def __init__(self, backlog: Callable[[], int], queue_limit: int, clock: Clock) -> None:
        self._backlog = backlog
        self._queue_limit = queue_limit
        self._clock = clock
        self._waiters: deque[tuple[Future[None], float]] = deque()
        """Each with the time at which its wait ends."""
        self._ended_at = clock.now() - STALL_SECONDS
        """When the last execution ended."""
        self._is_second_end = False
        self._timer: Timer | None = None

    def turn(self) -> Future[None] | None:
        """Return what an acceptance has to wait for; None: it need not wait."""
        backlog = self._backlog()
        if (not self._waiters and backlog < ENOUGH_WAITING) or backlog >= self._queue_limit:
            return None
        now = self._clock.now()
        if now - self._ended_at >= STALL_SECONDS:
            return None
        waiter: Future[None] = get_running_loop().create_future()
        self._waiters.append((waiter, now + MAX_WAIT_SECONDS))
        if self._timer is None:
            self._timer = self._clock.timer(STALL_SECONDS, self._release_late)
        return waiter

    def execution_ended(self) -> None:
        """Let the next acceptance continue.

        Two continue if few executions wait, and one for two ends while too many of them wait.
        """
        self._ended_at = self._clock.now()
        if not self._waiters:
            return
        backlog = self._backlog()
        self._is_second_end = not self._is_second_end
        if backlog < 2 * ENOUGH_WAITING or self._is_second_end:
            self._release()
        if backlog < ENOUGH_WAITING:
            self._release()

    def _release(self) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():  # else it was cancelled
                waiter.set_result(None)
                return

    def _release_late(self) -> None:
        """End the waits that have taken long enough; all of them if no execution ends."""
        now = self._clock.now()
        is_stalled = now - self._ended_at >= STALL_SECONDS
        while self._waiters and (is_stalled or self._waiters[0][1] <= now):
            self._release()
        self._timer = None
        if self._waiters:
            self._timer = self._clock.timer(STALL_SECONDS, self._release_late)
