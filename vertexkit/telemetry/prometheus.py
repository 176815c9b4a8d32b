"""Figures as they leave a process: gathered, summed over processes, and written for Prometheus."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vertexkit.telemetry.redaction import redact

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LARGEST = frozenset(
    {
        "process_max_fds",
        "process_start_time_seconds",
        "python_info",
        "vertexkit_executions_waiting",
        "vertexkit_info",
        "vertexkit_journal_trouble",
    }
)
"""Gauges that several processes do not add up to: the largest is what counts."""
SUMMED = frozenset({"counter", "histogram", "summary"})

Snapshot = list[list[Any]]
"""Figures as JSON: of each family its name, what it is, its type and its samples, of each sample
its name, its labels and its value."""


def gather(*registries: Collector) -> Snapshot:
    """The figures of this process, as they are now.

    Args:
        registries: later ones only add families of other names.
    """
    found: dict[str, list[Any]] = {}
    for registry in registries:
        for family in registry.collect():
            samples = [
                [sample.name, dict(sample.labels), sample.value]
                for sample in family.samples
                if not (family.type in SUMMED and sample.name.endswith("_created"))
            ]
            about = [family.name, family.documentation, family.type, samples]
            found.setdefault(family.name, about)
    return list(found.values())


def total(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The figures of several processes as if they were one."""
    found: dict[str, list[Any]] = {}
    values: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
    for snapshot in snapshots:
        for name, documentation, kind, samples in snapshot:
            found.setdefault(name, [name, documentation, kind, []])
            known = values.setdefault(name, {})
            for label, labels, value in samples:
                key = (label, *sorted(labels.items()))
                sample = known.setdefault(key, [label, labels, None])
                sample[2] = _joined(name, sample[2], value)
    return [[*about[:3], list(values[about[0]].values())] for about in found.values()]


def _joined(name: str, one: float | None, other: float) -> float:
    if one is None:
        return other
    return max(one, other) if name in LARGEST else one + other


def written(snapshot: Snapshot) -> bytes:
    """In Prometheus's text format. An author's labels may hold anything: secrets are masked."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(snapshot))
    return redact(generate_latest(registry))


class _Told(Collector):
    """A snapshot, as Prometheus's client wants to be told of it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for name, documentation, kind, samples in self._snapshot:
            family = Metric(name, documentation, kind)
            for label, labels, value in samples:
                family.add_sample(label, labels, value)
            yield family


class Tally:
    """The figures of several processes, in the hands of one of them.

    What a process that has ended had counted stays counted; what it was busy with is gone.

    Args:
        own: gives the figures of this process.
    """

    def __init__(self, own: Callable[[], Snapshot] = list) -> None:
        self._own = own
        self._latest: dict[object, Snapshot] = {}
        self._past: Snapshot = []

    def reported(self, process: object, snapshot: Snapshot) -> None:
        """Take what a process has counted until now, instead of what it said before."""
        self._latest[process] = snapshot

    def ended(self, process: object) -> None:
        """A process is gone."""
        last = self._latest.pop(process, [])
        self._past = total([self._past, [each for each in last if each[2] in SUMMED]])

    def total(self) -> Snapshot:
        """The figures of all, those of the past included."""
        return total([self._own(), *self._latest.values(), self._past])
