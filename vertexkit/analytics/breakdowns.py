"""Counts names, with bounded memory."""

from collections import Counter
from heapq import nlargest

from vertexkit.analytics.report import Breakdown, Share
from vertexkit.text import sanitize

MAX_CACHED_NAMES, MAX_CACHED_CHARACTERS = 1000, 100
"""Names whose sanitised form is kept, and how long they may be."""
MAX_NAMES = 2000
"""Different names in a breakdown; up to twice as many are counted."""


class BreakdownCounter:
    """Counts how often each name occurs.

    If there are more than twice `limit` different names, the rarer half is merged into the others.
    A name that becomes frequent later is still found.

    Args:
        limit: different names in the result.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._started: Counter[str] = Counter()
        self._completed: Counter[str] = Counter()
        self._clean: dict[str, str] = {}
        """Names that were sanitised, as they are counted."""
        self._others = self._missing = self._names_before_merge = 0

    def add(self, name: str | None, *, started: bool = False, completed: bool = False) -> None:
        """Count a name; None and an empty name are counted as missing.

        Args:
            name: the name.
            started: whether it is that of a dialog that was started.
            completed: whether it is that of a completed dialog.
        """
        clean = self._sanitized(name) if name else ""
        if not clean:
            self._missing += 1
            return
        self._counts[clean] += 1
        if started:
            self._started[clean] += 1
        if completed:
            self._completed[clean] += 1
        if len(self._counts) > 2 * self._limit:
            self._merge_rare_names()

    def _sanitized(self, name: str) -> str:
        clean = self._clean.get(name)
        if clean is None:
            clean = sanitize(name)
            if len(self._clean) < MAX_CACHED_NAMES and len(name) < MAX_CACHED_CHARACTERS:
                self._clean[name] = clean
        return clean

    def _merge_rare_names(self) -> None:
        frequent = nlargest(self._limit, self._counts.items(), key=lambda item: item[1])
        kept = Counter(dict(frequent))
        self._names_before_merge = max(self._names_before_merge, len(self._counts))
        self._others += self._counts.total() - kept.total()
        self._counts = kept
        self._started = Counter({name: self._started[name] for name in kept})
        self._completed = Counter({name: self._completed[name] for name in kept})

    @property
    def different(self) -> int:
        """The number of different names; a lower bound if names were merged."""
        return max(self._names_before_merge, len(self._counts))

    def breakdown(self, min_count: int = 1) -> Breakdown:
        """Return the result.

        Args:
            min_count: a name that occurred less often is counted in the others.
        """
        total = self._counts.total() + self._others
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        items = tuple(
            Share(name, count, count / total, self._started[name], self._completed[name])
            for name, count in ordered[: self._limit]
            if count >= min_count
        )
        others = total - sum(item.count for item in items)
        return Breakdown(items, total, others, self._missing, self._names_before_merge == 0)
