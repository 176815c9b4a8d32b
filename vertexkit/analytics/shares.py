"""Counting names, in bounded memory."""

from collections import Counter
from heapq import nlargest

from vertexkit.analytics.report import Breakdown, Share
from vertexkit.text import sanitize

KEPT = 2000
"""Different names that are counted each; twice as many while counting."""


class Shares:
    """How often each name came.

    Beyond twice `limit` different names, the rarer half is put together as others, so that a name
    that turns frequent late is still found.
    """

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self._others = self._missing = self._dropped = 0

    def add(self, name: str | None) -> None:
        """Count a name; None or an empty one is missing."""
        name = sanitize(name) if name else ""
        if not name:
            self._missing += 1
            return
        self._counts[name] += 1
        if len(self._counts) > 2 * self._limit:
            self._shrink()

    def _shrink(self) -> None:
        kept = Counter(dict(nlargest(self._limit, self._counts.items(), key=lambda each: each[1])))
        self._dropped = max(self._dropped, len(self._counts))
        self._others += self._counts.total() - kept.total()
        self._counts = kept

    @property
    def different(self) -> int:
        """Different names, or at least so many if they were too many to count."""
        return max(self._dropped, len(self._counts))

    def breakdown(self, least: int = 1) -> Breakdown:
        """The result.

        Args:
            least: a name that came less often is one of the others.
        """
        total = self._counts.total() + self._others
        ordered = sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))
        kept = [each for each in ordered[: self._limit] if each[1] >= least]
        items = tuple(Share(name, count, count / total) for name, count in kept)
        others = total - sum(item.count for item in items)
        return Breakdown(items, total, others, self._missing, self._dropped == 0)
