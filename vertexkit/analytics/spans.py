"""Counting durations, in bounded memory."""

import math
from collections import Counter

from vertexkit.analytics.report import Bin, Durations

BOUNDS = (0, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 86_400)
"""Where the bins of the distribution begin, in seconds."""
EXACT = 600
"""Seconds up to which each is counted alone; above, those within two hundredths together."""
STEP = math.log(1.02)


class Spans:
    """How long things took: about two thousand counters at most."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._bins = [0] * len(BOUNDS)
        self._count = self._missing = 0
        self._sum = self._longest = 0.0

    def add(self, seconds: float | None) -> None:
        """Count a duration; None, a negative or an infinite one is missing."""
        if seconds is None or not 0 <= seconds < math.inf:
            self._missing += 1
            return
        self._count += 1
        self._sum += seconds
        self._longest = max(self._longest, seconds)
        self._counts[_key(seconds)] += 1
        self._bins[sum(seconds >= bound for bound in BOUNDS) - 1] += 1

    def durations(self) -> Durations:
        """The result."""
        if not self._count:
            return Durations(missing=self._missing)
        ends = (*BOUNDS[1:], None)
        bins = map(Bin, BOUNDS, ends, self._bins)
        return Durations(
            self._count,
            self._missing,
            self._sum / self._count,
            self._quantile(0.5),
            self._quantile(0.9),
            self._longest,
            tuple(bins),
        )

    def _quantile(self, part: float) -> float:
        """The smallest duration that so many are not longer than."""
        wanted, passed = math.ceil(part * self._count), 0
        for key in sorted(self._counts):
            passed += self._counts[key]
            if passed >= wanted:
                return min(_seconds(key), self._longest)
        return self._longest


def _key(seconds: float) -> int:
    if seconds < EXACT:
        return round(seconds)
    return EXACT + int(math.log(seconds / EXACT) / STEP)


def _seconds(key: int) -> float:
    """The middle of what is counted together."""
    return float(key) if key < EXACT else float(round(EXACT * math.exp((key - EXACT + 0.5) * STEP)))
