"""Counts durations, with bounded memory."""

import math
from collections import Counter

from vertexkit.analytics.report import DurationBin, DurationStatistics

BIN_BOUNDS_SECONDS = (0, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 86_400)
"""The lower bounds of the bins of the distribution."""
EXACT_SECONDS = 600
"""Up to this duration each whole second has its own counter; longer durations within two percent
of each other share one."""
LOG_STEP = math.log(1.02)


class DurationCounter:
    """Counts durations with about two thousand counters at most."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._bins = [0] * len(BIN_BOUNDS_SECONDS)
        self._count = self._missing = 0
        self._sum = self._longest = 0.0

    def add(self, seconds: float | None) -> None:
        """Count a duration; None, a negative and an infinite one are counted as missing."""
        if seconds is None or not 0 <= seconds < math.inf:
            self._missing += 1
            return
        self._count += 1
        self._sum += seconds
        self._longest = max(self._longest, seconds)
        self._counts[_to_key(seconds)] += 1
        self._bins[sum(seconds >= bound for bound in BIN_BOUNDS_SECONDS) - 1] += 1

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
        """Return the shortest duration that this share of all durations does not exceed."""
        wanted, passed = math.ceil(share * self._count), 0
        for key in sorted(self._counts):
            passed += self._counts[key]
            if passed >= wanted:
                return min(_to_seconds(key), self._longest)
        return self._longest


def _to_key(seconds: float) -> int:
    if seconds < EXACT_SECONDS:
        return round(seconds)
    return EXACT_SECONDS + int(math.log(seconds / EXACT_SECONDS) / LOG_STEP)


def _to_seconds(key: int) -> float:
    """Return the middle of the durations that share this key's counter."""
    if key < EXACT_SECONDS:
        return float(key)
    return float(round(EXACT_SECONDS * math.exp((key - EXACT_SECONDS + 0.5) * LOG_STEP)))
