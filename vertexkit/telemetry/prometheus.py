"""Snapshots of metrics: collected in a process, merged over processes, rendered for Prometheus."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vertexkit.telemetry.redaction import redact

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAXIMUM_GAUGES = frozenset(
    {
        "process_max_fds",
        "process_start_time_seconds",
        "python_info",
        "vertexkit_executions_suspended",
        "vertexkit_executions_waiting",
        "vertexkit_executions_waiting_for_limit",
        "vertexkit_info",
        "vertexkit_journal_trouble",
    }
)
"""Gauges that are not added over processes: the largest value is exported."""
CUMULATIVE_TYPES = frozenset({"counter", "histogram", "summary"})

Snapshot = list[list[Any]]
"""Metrics as JSON: for each family its name, help text, type and samples; for each sample its name,
labels and value."""


def take_snapshot(*registries: Collector) -> Snapshot:
    """Read the current values of this process.

    Args:
        registries: where two have a family of the same name, the earlier one is used.

    Returns:
        The families of all registries.
    """
    found: dict[str, list[Any]] = {}
    for registry in registries:
        for family in registry.collect():
            samples = [
                [sample.name, dict(sample.labels), sample.value]
                for sample in family.samples
                if not (family.type in CUMULATIVE_TYPES and sample.name.endswith("_created"))
            ]
            row = [family.name, family.documentation, family.type, samples]
            found.setdefault(family.name, row)
    return list(found.values())


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Merge snapshots of several processes into one.

    Args:
        snapshots: one for each process.

    Returns:
        Sums by name and labels; for `MAXIMUM_GAUGES` the largest values.
    """
    families: dict[str, list[Any]] = {}
    values: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
    for snapshot in snapshots:
        for name, documentation, kind, samples in snapshot:
            families.setdefault(name, [name, documentation, kind, []])
            merged = values.setdefault(name, {})
            for sample_name, labels, value in samples:
                key = (sample_name, *sorted(labels.items()))
                sample = merged.setdefault(key, [sample_name, labels, None])
                sample[2] = _merge_values(name, sample[2], value)
    return [[*row[:3], list(values[row[0]].values())] for row in families.values()]


def _merge_values(name: str, one: float | None, other: float) -> float:
    if one is None:
        return other
    return max(one, other) if name in MAXIMUM_GAUGES else one + other


def render(snapshot: Snapshot) -> bytes:
    """Render a snapshot in Prometheus's text format.

    Args:
        snapshot: of one process, or merged.

    Returns:
        The body of `GET /metrics`. Secrets are masked: an author's labels may contain one.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return redact(generate_latest(registry))


class _SnapshotCollector(Collector):
    """Presents a snapshot to Prometheus's client."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for name, documentation, kind, samples in self._snapshot:
            family = Metric(name, documentation, kind)
            for sample_name, labels, value in samples:
                family.add_sample(sample_name, labels, value)
            yield family


class MetricsAggregator:
    """Merges the metrics of several processes.

    Counters of a process that has ended are kept; its gauges are dropped.

    Args:
        own: takes a snapshot of this process.
    """

    def __init__(self, own: Callable[[], Snapshot] = list) -> None:
        self._own = own
        self._latest: dict[object, Snapshot] = {}
        self._ended: Snapshot = []

    def update(self, process: object, snapshot: Snapshot) -> None:
        """Replace the snapshot of a process.

        Args:
            process: any hashable key of the process.
            snapshot: its newest values.
        """
        self._latest[process] = snapshot

    def remove(self, process: object) -> None:
        """Keep the counters of a process that has ended, and drop its gauges.

        Args:
            process: the key given to `update`; an unknown one is ignored.
        """
        last = self._latest.pop(process, [])
        cumulative = [family for family in last if family[2] in CUMULATIVE_TYPES]
        self._ended = merge([self._ended, cumulative])

    def merged(self) -> Snapshot:
        """The metrics of all processes, those that have ended included."""
        return merge([self._own(), *self._latest.values(), self._ended])
