"""Counts durations, with bounded memory."""

import math
from bisect import bisect_right
from collections import Counter

from vertexkit.analytics.report import DurationBin, DurationStatistics

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
    """Counts durations: each different one has a counter."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()
        self._bins = [0] * len(BIN_BOUNDS_SECONDS)
        self._count = self._missing = 0
        self._sum = self._longest = 0.0

    def add(self, seconds: float | None) -> None:
        """Count a duration; None, a negative and an infinite one are counted as missing."""
        number = bin_of(seconds)
        if seconds is None or number is None:
            self._missing += 1
            return
        self._count += 1
        self._sum += seconds
        self._longest = max(self._longest, seconds)
        self._counts[seconds] += 1
        self._bins[number] += 1
        if len(self._counts) > MAX_DIFFERENT:
            self._merge()

    def _merge(self) -> None:
        merged: Counter[float] = Counter()
        for seconds, count in self._counts.items():
            merged[float(f"{seconds:.{MERGED_DIGITS}g}")] += count
        self._counts = merged

    def statistics(self) -> DurationStatistics:
        """Return the result."""
        if not self._count:
            return DurationStatistics(missing=self._missing)
        upper_bounds = (*BIN_BOUNDS_SECONDS[1:], None)
        return DurationStatistics(
            self._count,
            self._missing,
            self._sum / self._count,
            self._quantile(0.5),
            self._quantile(0.9),
            self._longest,
            tuple(map(DurationBin, BIN_BOUNDS_SECONDS, upper_bounds, self._bins)),
        )

    def _quantile(self, share: float) -> float:
        """Return the value at this share of the sorted durations; between two, interpolated."""
        position = share * (self._count - 1)
        below, above = math.floor(position), math.ceil(position)
        passed, low = 0, None
        for seconds in sorted(self._counts):
            passed += self._counts[seconds]
            if low is None and passed > below:
                low = seconds
            if passed > above:
                return (seconds if low is None else low) + (position - below) * (
                    seconds - (seconds if low is None else low)
                )
        return self._longest
