"""Counts durations, with bounded memory."""

import math
from bisect import bisect_right
from collections import Counter

from vertexkit.analytics.report import DurationBin, DurationStatistics

NO_DURATION = ("in_process", "not_started")
"""The groups of statuses whose dialogs are not over: their durations are not final."""
BIN_BOUNDS_SECONDS = (0, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 86_400)
"""The lower bounds of the bins of the distribution."""
MAX_DIFFERENT = 200_000
"""Different durations that are counted exactly. With more, those within a tenth of a percent of
each other are merged; whole seconds do not reach it within two days."""
MERGED_DIGITS = 3


def bin_of(seconds: float | None) -> int | None:
    """Return the number of a duration's interval; None if the duration is unknown or no number."""
    if seconds is None or not 0 <= seconds < math.inf:
        return None
    return bisect_right(BIN_BOUNDS_SECONDS, seconds) - 1


class DurationCounter:
    """Counts durations.

    Attributes:
        counts: how often each duration occurred.
        missing: how often there was none.
        longest: the longest one that was merged with others.
    """

    def __init__(self) -> None:
        self.counts: dict[float, int] = {}
        self.missing: int = 0
        self.longest: float = 0.0

    def add(self, seconds: float | None, times: int = 1) -> None:
        """Count a duration; None, a negative and an infinite one are counted as missing."""
        if seconds is None or not 0 <= seconds < math.inf:
            self.missing += times
            return
        counts = self.counts
        counts[seconds] = counts.get(seconds, 0) + times
        if len(counts) > MAX_DIFFERENT:
            self._merge()

    def _merge(self) -> None:
        self.longest = max(self.longest, *self.counts)
        merged: Counter[float] = Counter()
        for seconds, count in self.counts.items():
            merged[float(f"{seconds:.{MERGED_DIGITS}g}")] += count
        self.counts = dict(merged)

    @classmethod
    def sum_of(cls, *counters: "DurationCounter") -> "DurationCounter":
        """Return a counter of all durations of several counters."""
        result = cls()
        for counter in counters:
            for seconds, times in counter.counts.items():
                result.add(seconds, times)
            result.missing += counter.missing
            result.longest = max(result.longest, counter.longest)
        return result

    def statistics(self) -> DurationStatistics:
        """Return the result."""
        if not self.counts:
            return DurationStatistics(missing=self.missing)
        count = sum(self.counts.values())
        bins = [0] * len(BIN_BOUNDS_SECONDS)
        for seconds, times in self.counts.items():
            bins[bisect_right(BIN_BOUNDS_SECONDS, seconds) - 1] += times
        upper_bounds = (*BIN_BOUNDS_SECONDS[1:], None)
        return DurationStatistics(
            count,
            self.missing,
            math.fsum(seconds * times for seconds, times in self.counts.items()) / count,
            self._quantile(0.5, count),
            self._quantile(0.9, count),
            max(self.longest, *self.counts),
            tuple(map(DurationBin, BIN_BOUNDS_SECONDS, upper_bounds, bins)),
        )

    def _quantile(self, share: float, total: int) -> float:
        """Return the value at this share of the sorted durations; between two, interpolated."""
        position = share * (total - 1)
        below, above = math.floor(position), math.ceil(position)
        passed, low = 0, None
        for seconds in sorted(self.counts):
            passed += self.counts[seconds]
            if low is None and passed > below:
                low = seconds
            if passed > above:
                return (seconds if low is None else low) + (position - below) * (
                    seconds - (seconds if low is None else low)
                )
        return max(self.counts)
