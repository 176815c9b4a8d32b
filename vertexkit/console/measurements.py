"""The figures of a service that the console draws, from a snapshot of its metrics.

Counters and buckets are sums since the start of the processes; the page computes rates and
quantiles from the differences between two answers.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from vertexkit.telemetry.prometheus import Snapshot

DURATIONS = {
    "queue_wait": "vertexkit_queue_wait_seconds",
    "platform_request": "vertexkit_platform_request_seconds",
    "commit": "vertexkit_journal_commit_seconds",
    "loop_lag": "vertexkit_loop_lag_seconds",
}
GAUGES = {
    "running": "vertexkit_handlers_running",
    "held": "vertexkit_executions_held",
    "waiting": "vertexkit_executions_waiting",
    "suspended": "vertexkit_executions_suspended",
    "limited": "vertexkit_executions_waiting_for_limit",
    "connections": "vertexkit_platform_connections",
    "workers": "vertexkit_workers",
    "workers_ready": "vertexkit_workers_ready",
}
INFINITY = "+Inf"
NOT_REJECTED = {"accepted", "duplicate"}
"""Answers to calls that are not rejections."""


def measurements(snapshot: Snapshot) -> dict[str, Any]:
    """Return the figures as a JSON object.

    Args:
        snapshot: of one process, or of all processes of a service.
    """
    families = {name: samples for name, _, _, samples in snapshot}

    def values(name: str) -> Iterator[tuple[dict[str, str], float]]:
        for _, labels, value in families.get(name, []):
            yield labels, value

    def total(name: str) -> float:
        return sum(value for _, value in values(name))

    return {
        "counters": _counters(values),
        "gauges": {key: total(name) for key, name in GAUGES.items()},
        "durations": {key: _buckets(families.get(name, [])) for key, name in DURATIONS.items()},
        "blocks": _by_block(values),
    }


def _counters(values: Any) -> dict[str, float]:
    counters: defaultdict[str, float] = defaultdict(float)
    for labels, value in values("vertexkit_calls"):
        counters["accepted"] += value * (labels["answer"] == "accepted")
        counters["rejected"] += value * (labels["answer"] not in NOT_REJECTED)
    for labels, value in values("vertexkit_executions_settled"):
        failed = labels["outcome"] == "completed" and labels["code"] != "ok"
        counters["failed" if failed else labels["outcome"]] += value
    for labels, value in values("vertexkit_messages"):
        counters[f"messages_{labels['outcome']}"] += value
    for labels, value in values("vertexkit_platform_requests"):
        counters["requests"] += value
        counters["requests_failed"] += value * (not labels["status"].startswith("2"))
    counters["loop_blocked"] = sum(value for _, value in values("vertexkit_loop_blocked"))
    return dict(counters)


def _buckets(samples: list[Any]) -> dict[str, Any]:
    """Cumulative counts by the upper bound of their bucket in seconds; None: without a bound."""
    counts: defaultdict[str, float] = defaultdict(float)
    for name, labels, value in samples:
        if name.endswith("_bucket"):
            counts[labels["le"]] += value
    bounds = sorted(counts, key=float)
    return {
        "bounds": [None if bound == INFINITY else float(bound) for bound in bounds],
        "counts": [counts[bound] for bound in bounds],
    }


def _by_block(values: Any) -> dict[str, dict[str, float]]:
    blocks: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for key in ("running", "limited"):
        for labels, value in values(GAUGES[key]):
            blocks[labels["block"]][key] = value
    return dict(blocks)
