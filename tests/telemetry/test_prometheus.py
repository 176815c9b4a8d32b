"""Snapshots of metrics: merged over processes and rendered for Prometheus."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from vertexkit.telemetry import redaction
from vertexkit.telemetry.prometheus import MetricsAggregator, Snapshot, merge, render, take_snapshot


def process(calls: int, waiting: int, block: str = "talk") -> Snapshot:
    """A snapshot of a process that received this number of calls."""
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ["block"], registry=registry).labels(block).inc(calls)
    Gauge("busy", "Handlers.", registry=registry).set(calls)
    Gauge("vertexkit_executions_waiting", "Waiting.", registry=registry).set(waiting)
    return take_snapshot(registry)


def read(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    """The samples that Prometheus reads."""
    text = render(snapshot).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_values_of_processes_are_added() -> None:
    """Counters and gauges are summed by their labels; gauges of shared state are not."""
    seen = read(merge([process(2, 7), process(3, 7), process(5, 6, "loan")]))
    assert seen == {
        ("calls_total", "talk"): 5,
        ("calls_total", "loan"): 5,
        ("busy",): 10,
        ("vertexkit_executions_waiting",): 7,
    }


def test_counters_of_ended_processes_are_kept() -> None:
    """A counter never decreases when a process ends; the gauges of that process are dropped."""
    aggregator = MetricsAggregator(lambda: process(1, 0))
    aggregator.update("a", process(2, 4))
    aggregator.update("a", process(3, 5))
    aggregator.update("b", process(10, 5))
    assert read(aggregator.merged())["calls_total", "talk"] == 14
    aggregator.remove("a")
    aggregator.remove("a")
    aggregator.remove("b")
    seen = read(aggregator.merged())
    assert seen["calls_total", "talk"] == 14
    assert seen["busy",] == 1
    assert seen["vertexkit_executions_waiting",] == 0


@pytest.mark.parametrize("secret", ["s3cret/of=the url", "eyJhbGciOi.eyJpbnN0Y.c2ln"])
def test_no_metric_shows_a_secret(secret: str) -> None:
    """A secret in a label, which an author may set, is masked."""
    redaction.register_secrets([secret])
    registry = CollectorRegistry()
    Counter("author", "An author's counter.", ["who"], registry=registry).labels(secret).inc()
    text = render(take_snapshot(registry)).decode()
    assert "[secret]" in text
    assert secret not in text
