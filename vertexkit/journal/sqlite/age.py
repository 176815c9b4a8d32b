"""The age of a journal: the time by which it forgets."""

from vertexkit.clock import Clock

MAX_DOWNTIME_SECONDS = 3600.0
"""Longest time between two processes that is counted. It is known from the wall clock alone."""


class JournalAge:
    """Seconds for which services have had a journal open, over all of them.

    What is kept for some time is aged by it. A wall clock that is wrong, or is set, would delete
    everything at once; this age grows as the monotonic clock does. Only the time between two
    processes is measured by the wall clock, and counts for an hour at most.

    Args:
        clock: of the process.
        age: as an earlier process saved it.
        saved_at: the Unix time at which it did; 0: no process has.
    """

    def __init__(self, clock: Clock, age: float, saved_at: float) -> None:
        self._clock = clock
        downtime = clock.unix() - saved_at if saved_at else 0.0
        self._start = age + min(max(0.0, downtime), MAX_DOWNTIME_SECONDS) - clock.now()

    def now(self) -> float:
        """Return the age in seconds."""
        return self._start + self._clock.now()

    def values(self) -> tuple[float, float]:
        """Return the values of SAVE_AGE."""
        return self.now(), self._clock.unix()
