"""Counters and histograms that cost next to nothing to feed; Prometheus's client reads them out.

Its own ones take a lock for each figure, and a process that serves touches a dozen of them in every
execution. These belong to one thread, that of the event loop.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Key = tuple[str, ...]


class Count(Collector):
    """How often something happened, by labels: `count[block, outcome] += 1`.

    Args:
        name: without `_total`.
        documentation: a sentence.
        labels: the names of the labels, in the order of the keys.
    """

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self.name, self.labels = name, labels
        self.values: defaultdict[Key, int] = defaultdict(int)
        self._documentation = documentation
        if not labels:
            self.values[()] = 0

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self.name, self._documentation, labels=self.labels)
        for key, value in list(self.values.items()):
            family.add_metric(key, value)
        yield family


class Timing(Collector):
    """How long something took, by labels.

    Args:
        name: with `_seconds`.
        documentation: a sentence.
        bounds: the upper bounds of the buckets, in seconds, growing.
        labels: the names of the labels, in the order of the keys.
    """

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], *labels: str
    ) -> None:
        self.name, self.labels = name, labels
        self._documentation = documentation
        self._bounds = bounds
        self._rows: dict[Key, list[float]] = {}
        """Of each key how many fell into each bucket, and the sum of all seconds."""
        if not labels:
            self.expect(())

    def expect(self, key: Key) -> list[float]:
        """Show these labels from now on, and be it with zeros."""
        return self._rows.setdefault(key, [0] * (len(self._bounds) + 1) + [0.0])

    def add(self, key: Key, seconds: float) -> None:
        """Something took so long."""
        row = self._rows.get(key) or self.expect(key)
        row[bisect_left(self._bounds, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self.name, self._documentation, labels=self.labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for key, (*counts, seconds) in list(self._rows.items()):
            buckets = list(zip(names, accumulate(counts), strict=True))
            family.add_metric(key, buckets, seconds)
        yield family
