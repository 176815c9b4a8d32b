"""Counts names, with bounded memory."""

from heapq import nlargest

from vertexkit.analytics.report import Breakdown, Share
from vertexkit.text import sanitize

MAX_CACHED_NAMES, MAX_CACHED_CHARACTERS = 4000, 100
"""Names whose counter is found without sanitising them again, and how long they may be."""
MAX_NAMES = 2000
"""Different names in a breakdown; up to twice as many are counted."""
Counts = list[int]
"""How often a name occurred; of dialogs, also how many were started and how many completed."""


class BreakdownCounter:
    """Counts how often each name occurs.

    If there are more than twice `limit` different names, the rarer half is merged into the others.
    A name that becomes frequent later is still found.

    Args:
        limit: different names in the result.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._counts: dict[str, Counts] = {}
        self._missing: Counts = [0, 0, 0]
        self._cache: dict[str | None, Counts] = {None: self._missing, "": self._missing}
        """The counters by names as they came."""
        self._others = self._names_before_merge = 0

    def add(
        self, name: str | None, times: int = 1, *, started: bool = False, completed: bool = False
    ) -> None:
        """Count a name; None and an empty name are counted as missing.

        Args:
            name: the name.
            times: how often it occurs.
            started: whether it is that of dialogs that were started.
            completed: whether it is that of completed dialogs.
        """
        counts = self._cache.get(name)
        if counts is None:
            counts = self._find(name or "")
        counts[0] += times
        counts[1] += started * times
        counts[2] += completed * times

    def _find(self, name: str) -> Counts:
        clean = sanitize(name)
        counts = self._counts.get(clean) if clean else self._missing
        if counts is None:
            if len(self._counts) == 2 * self._limit:
                self._merge_rare_names()
            counts = self._counts[clean] = [0, 0, 0]
        if len(self._cache) < MAX_CACHED_NAMES and len(name) < MAX_CACHED_CHARACTERS:
            self._cache[name] = counts
        return counts

    def _merge_rare_names(self) -> None:
        frequent = dict(nlargest(self._limit, self._counts.items(), key=lambda item: item[1][0]))
        self._names_before_merge = max(self._names_before_merge, len(self._counts) + 1)
        self._others += sum(
            counts[0] for name, counts in self._counts.items() if name not in frequent
        )
        self._counts = frequent
        self._cache = {None: self._missing, "": self._missing}

    @property
    def different(self) -> int:
        """The number of different names; a lower bound if names were merged."""
        return max(self._names_before_merge, len(self._counts))

    def breakdown(self, min_count: int = 1) -> Breakdown:
        """Return the result.

        Args:
            min_count: a name that occurred less often is counted in the others.
        """
        total = sum(counts[0] for counts in self._counts.values()) + self._others
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        items = tuple(
            Share(name, count, count / total, started, completed)
            for name, (count, started, completed) in ordered[: self._limit]
            if count >= min_count
        )
        others = total - sum(item.count for item in items)
        return Breakdown(items, total, others, self._missing[0], self._names_before_merge == 0)
