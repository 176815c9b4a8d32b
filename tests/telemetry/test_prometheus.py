"""Figures on their way out of a process."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from vertexkit.telemetry import redaction
from vertexkit.telemetry.prometheus import Snapshot, Tally, gather, total, written


def process(calls: int, waiting: int, block: str = "talk") -> Snapshot:
    """The figures of a process that was called so often."""
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ["block"], registry=registry).labels(block).inc(calls)
    Gauge("busy", "Handlers.", registry=registry).set(calls)
    Gauge("vertexkit_executions_waiting", "Waiting.", registry=registry).set(waiting)
    return gather(registry)


def read(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    """What Prometheus reads of it."""
    text = written(snapshot).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_processes_add_up() -> None:
    """Counters and gauges are summed by their labels, but what all see alike is not."""
    seen = read(total([process(2, 7), process(3, 7), process(5, 6, "loan")]))
    assert seen == {
        ("calls_total", "talk"): 5,
        ("calls_total", "loan"): 5,
        ("busy",): 10,
        ("vertexkit_executions_waiting",): 7,
    }


def test_what_the_dead_have_counted_stays() -> None:
    """A counter never goes back when a process ends; what it was busy with is gone."""
    tally = Tally(lambda: process(1, 0))
    tally.reported("a", process(2, 4))
    tally.reported("a", process(3, 5))
    tally.reported("b", process(10, 5))
    assert read(tally.total())["calls_total", "talk"] == 14
    tally.ended("a")
    tally.ended("a")
    tally.ended("b")
    seen = read(tally.total())
    assert seen["calls_total", "talk"] == 14
    assert seen["busy",] == 1
    assert seen["vertexkit_executions_waiting",] == 0


@pytest.mark.parametrize("secret", ["s3cret/of=the url", "eyJhbGciOi.eyJpbnN0Y.c2ln"])
def test_no_figure_shows_a_secret(secret: str) -> None:
    """A label that holds one, as an author's may, is masked."""
    redaction.keep_secret([secret])
    registry = CollectorRegistry()
    Counter("author", "Of an author's.", ["who"], registry=registry).labels(secret).inc()
    text = written(gather(registry)).decode()
    assert "[secret]" in text
    assert secret not in text
