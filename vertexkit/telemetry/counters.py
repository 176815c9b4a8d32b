"""Counters and histograms that cost little to update; Prometheus's client reads them.

The client's own counters take a lock for each update, and a serving process makes a dozen updates
for each execution. These belong to one thread, that of the event loop, and take none.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Key = tuple[str, ...]
"""Values of the labels, in the order of the labels' names."""


class Counter(Collector):
    """How often something happened, by labels: `counter.values[block, outcome] += 1`.

    Args:
        name: without `_total`.
        documentation: the metric's help text.
        labels: names of the labels, in the order of the keys.
    """

    def __init__(self, name: str, documentation: str, *labels: str) -> None:
        self.name: str = name
        self.labels: tuple[str, ...] = labels
        self.values: defaultdict[Key, int] = defaultdict(int)
        self._documentation = documentation
        if not labels:
            self.values[()] = 0

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self.name, self._documentation, labels=self.labels)
        for key, value in list(self.values.items()):
            family.add_metric(key, value)
        yield family


class Histogram(Collector):
    """How long something took, by labels.

    Args:
        name: with `_seconds`.
        documentation: the metric's help text.
        bounds: upper bounds of the buckets in seconds, ascending.
        labels: names of the labels, in the order of the keys.
    """

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], *labels: str
    ) -> None:
        self.name: str = name
        self.labels: tuple[str, ...] = labels
        self._documentation = documentation
        self._bounds = bounds
        self._rows: dict[Key, list[float]] = {}
        """For each key: the number of values in each bucket, then the sum of all values."""
        if not labels:
            self.declare(())

    def declare(self, key: Key) -> list[float]:
        """Export these labels from now on, with zeros until there is a value.

        Args:
            key: values of the labels.

        Returns:
            The numbers kept for these labels.
        """
        return self._rows.setdefault(key, [0] * (len(self._bounds) + 1) + [0.0])

    def observe(self, key: Key, seconds: float) -> None:
        """Add one value.

        Args:
            key: values of the labels.
            seconds: how long it took.
        """
        row = self._rows.get(key) or self.declare(key)
        row[bisect_left(self._bounds, seconds)] += 1
        row[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self.name, self._documentation, labels=self.labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for key, (*counts, seconds) in list(self._rows.items()):
            buckets = list(zip(names, accumulate(counts), strict=True))
            family.add_metric(key, buckets, seconds)
        yield family
