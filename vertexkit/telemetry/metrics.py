"""The metrics of one process, for Prometheus; docs/monitoring.md describes each of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vertexkit.telemetry.counters import Counter, Histogram
from vertexkit.telemetry.prometheus import Snapshot, take_snapshot

WORK_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of buckets for durations that people wait for: handlers, requests, queues."""
INTERNAL_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper bounds of buckets for internal durations: commits, lag of the event loop."""
MAX_FAILURE_CODES = 64
"""Number of different failure codes of authors that are exported; the rest is exported as `other`,
so that codes made from inputs cannot fill the memory."""
DECLARED_ANSWERS = ("accepted", "queue_full", "overloaded", "journal_unavailable")
"""Answers to calls that each block exports from the start, with 0: an alert on an increase sees the
first one only if there was a 0 before."""
PARKED_CODES = ("attempts", "internal", "nondeterministic", "refused", "unknown", "unreachable")
DECLARED_OUTCOMES = (("completed", "ok"), *(("parked", code) for code in PARKED_CODES))
"""Outcomes and codes that each block exports from the start, with 0."""

# By event: the label's value under which a metric counts it.
ANSWERS = {"accepted": "accepted", "deduplicated": "duplicate"}
MESSAGE_OUTCOMES = {
    "sent": "sent",
    "send_outcome_unknown": "unknown",
    "send_failed": "send_failed",
}
RETRIES = {
    "retried": "handler",
    "step_retried": "step",
    "send_retried": "message",
    "completion_retried": "completion",
}
INTERRUPTIONS = {name: name for name in ("abandoned", "fenced", "released", "journal_unavailable")}
REJECTED_CALLS = {
    "rejected_call_completed": "completed",
    "rejected_call_completion_failed": "failed",
    "rejected_call_completion_dropped": "dropped",
}


@dataclass(frozen=True, slots=True)
class ProcessState:
    """The state of a process at one moment."""

    running: Mapping[str, int] = field(default_factory=dict)
    """Running handlers, by block."""
    held: int = 0
    """Executions that this process has claimed."""
    suspended: int = 0
    """Executions whose handlers wait for a time or an event."""
    waiting: int = 0
    """Executions that wait for a handler."""
    waiting_for_limits: Mapping[str, int] = field(default_factory=dict)
    """Executions that wait for a limit, by block."""
    connections: int = 0
    """Connections to the platform in use."""
    trouble: bool = False
    """Whether the journal cannot be written."""
    ready: bool = True
    """Whether the process accepts calls."""


class CommitMetrics:
    """Counts a journal's commits.

    Args:
        registry: exports them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._duration = Histogram(
            "vertexkit_journal_commit_seconds",
            "Duration of the journal's commits.",
            INTERNAL_SECONDS,
        )
        self._writes = Counter("vertexkit_journal_writes", "Changes committed to the journal.")
        self._failures = Counter(
            "vertexkit_journal_commit_failures", "Commits of the journal that failed."
        )
        for metric in (self._duration, self._writes, self._failures):
            registry.register(metric)

    def committed(self, changes: int, seconds: float) -> None:
        """Count a commit.

        Args:
            changes: number of changes in it.
            seconds: its duration.
        """
        self._duration.observe((), seconds)
        self._writes.values[()] += changes

    def commit_failed(self) -> None:
        """Count a failed commit."""
        self._failures.values[()] += 1


class Metrics:
    """The metrics of one process.

    It observes the process's events, calls, connections, platform requests, journal and event loop:
    see the protocols `EventCounter`, `CallObserver`, `ConnectionObserver` and `RequestObserver`.

    Args:
        state: returns the current state of the process; called for each snapshot.
    """

    def __init__(self, state: Callable[[], ProcessState] = ProcessState) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_ProcessGauges(state))
        self.commits: CommitMetrics = CommitMetrics(self._registry)
        self._codes: set[str] = set()
        self._create_counters()
        self._create_histograms()
        self._counters = self._by_event()

    def _create_counters(self) -> None:
        counter = self._counter
        self._calls = counter("calls", "Calls, by answer.", "block", "answer")
        self._settled = counter(
            "executions_settled", "Executions that ended, by outcome.", "block", "outcome", "code"
        )
        self._interrupted = counter(
            "executions_interrupted", "Runs that this process did not finish.", "block", "how"
        )
        self._messages = counter("messages", "Messages, by outcome.", "block", "outcome")
        self._retries = counter("retries", "Retries, by what was retried.", "block", "what")
        self._rejected_calls = counter(
            "rejected_calls",
            "Rejected calls, by the outcome of completing their blocks as failed.",
            "code",
            "outcome",
        )
        self._requests = counter(
            "platform_requests", "Requests to the platform, by status.", "method", "status"
        )
        self._model_tokens = counter(
            "model_tokens",
            "Tokens of language models, by direction.",
            "block",
            "model",
            "direction",
        )
        self._blocked = counter(
            "loop_blocked", "Times that a handler blocked the event loop.", "block"
        )

    def _create_histograms(self) -> None:
        self._wait = self._histogram(
            "queue_wait_seconds",
            "Time from a call to the first run of its handler.",
            WORK_SECONDS,
            "block",
        )
        self._duration = self._histogram(
            "execution_seconds",
            "Time from the start of the last run to the outcome.",
            WORK_SECONDS,
            "block",
        )
        self._request_duration = self._histogram(
            "platform_request_seconds",
            "Duration of requests to the platform.",
            WORK_SECONDS,
            "method",
        )
        self._lag = self._histogram(
            "loop_lag_seconds",
            "Delay of the event loop's timers.",
            INTERNAL_SECONDS,
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        counter = Counter(f"vertexkit_{name}", documentation, *labels)
        self._registry.register(counter)
        return counter

    def _histogram(
        self, name: str, documentation: str, bounds: tuple[float, ...], *labels: str
    ) -> Histogram:
        histogram = Histogram(f"vertexkit_{name}", documentation, bounds, *labels)
        self._registry.register(histogram)
        return histogram

    def _by_event(self) -> dict[str, Callable[[str, dict[str, Any]], None]]:
        """What counts an event, by its name: called with its block and its fields."""
        counters = {
            event: _labelled(counter, label)
            for counter, labels in (
                (self._calls, ANSWERS),
                (self._messages, MESSAGE_OUTCOMES),
                (self._retries, RETRIES),
                (self._interrupted, INTERRUPTIONS),
            )
            for event, label in labels.items()
        }
        counters |= {
            event: self._rejected_call(outcome) for event, outcome in REJECTED_CALLS.items()
        }
        return counters | {
            "claimed": self._claimed,
            "settled": self._execution_settled,
            "model_answered": self._model_answered,
        }

    def declare_blocks(self, blocks: Iterable[str]) -> None:
        """Export the metrics of these blocks from now on, with zeros until there are values.

        Args:
            blocks: their names.
        """
        for block in blocks:
            for answer in DECLARED_ANSWERS:
                self._calls.values[block, answer] += 0
            for outcome, code in DECLARED_OUTCOMES:
                self._settled.values[block, outcome, code] += 0
            for outcome in MESSAGE_OUTCOMES.values():
                self._messages.values[block, outcome] += 0
            self._blocked.values[block,] += 0
            self._wait.declare((block,))
            self._duration.declare((block,))

    def count_event(self, name: str, block: str, fields: dict[str, Any]) -> None:
        """As `EventCounter.count_event`."""
        counter = self._counters.get(name)
        if counter is not None:
            counter(block, fields)

    def call_rejected(self, block: str, code: str) -> None:
        """As `CallObserver.call_rejected`."""
        self._calls.values[block, self._limited(code)] += 1

    def connection_rejected(self, code: str) -> None:
        """As `ConnectionObserver.connection_rejected`."""
        self.call_rejected("", code)

    def platform_request_ended(self, method: str, status: str, seconds: float) -> None:
        """As `RequestObserver.platform_request_ended`."""
        self._requests.values[method, status] += 1
        self._request_duration.observe((method,), seconds)

    def loop_lagged(self, seconds: float) -> None:
        """As `WatchdogObserver.loop_lagged`."""
        self._lag.observe((), seconds)

    def loop_blocked(self, block: str, place: str = "") -> None:  # noqa: ARG002
        """As `WatchdogObserver.loop_blocked`."""
        self._blocked.values[block,] += 1

    def snapshot(self) -> Snapshot:
        """The current values, with the metrics that authors keep in Prometheus's registry."""
        return take_snapshot(self._registry, REGISTRY)

    def _limited(self, code: str) -> str:
        """The code, or `other` if there are too many different ones already."""
        if code not in self._codes:
            if len(self._codes) >= MAX_FAILURE_CODES:
                return "other"
            self._codes.add(code)
        return code

    def _claimed(self, block: str, fields: dict[str, Any]) -> None:
        if fields["attempt"] == 1:
            self._wait.observe((block,), fields["waited"])

    def _execution_settled(self, block: str, fields: dict[str, Any]) -> None:
        self._settled.values[block, fields["outcome"], self._limited(fields["code"])] += 1
        self._duration.observe((block,), fields["seconds"])

    def _model_answered(self, block: str, fields: dict[str, Any]) -> None:
        for direction in ("input", "output"):
            key = block, fields["model"], direction
            self._model_tokens.values[key] += fields[f"{direction}_tokens"]

    def _rejected_call(self, outcome: str) -> Callable[[str, dict[str, Any]], None]:
        values = self._rejected_calls.values

        def count(_: str, fields: dict[str, Any]) -> None:
            values[fields["code"], outcome] += 1

        return count


def _labelled(counter: Counter, label: str) -> Callable[[str, dict[str, Any]], None]:
    """A function that counts an event under its block and this label."""
    values = counter.values

    def count(block: str, _: dict[str, Any]) -> None:
        values[block, label] += 1

    return count


class _ProcessGauges(Collector):
    """Gauges of a process's state, read only when a snapshot is taken."""

    def __init__(self, state: Callable[[], ProcessState]) -> None:
        self._state = state

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        running = GaugeMetricFamily(
            "vertexkit_handlers_running", "Handlers running now.", labels=["block"]
        )
        for block, number in state.running.items():
            running.add_metric([block], number)
        limited = GaugeMetricFamily(
            "vertexkit_executions_waiting_for_limit",
            "Executions that wait for the rate or the fleet_concurrency of their block.",
            labels=["block"],
        )
        for block, number in state.waiting_for_limits.items():
            limited.add_metric([block], number)
        info = GaugeMetricFamily("vertexkit_info", "Always 1.", labels=["version"])
        info.add_metric([version("vertexkit")], 1)
        yield from (running, limited, info)
        for name, documentation, value in (
            ("executions_held", "Executions that a process has claimed.", state.held),
            ("executions_waiting", "Executions that wait for a handler.", state.waiting),
            ("executions_suspended", "Executions whose handlers wait.", state.suspended),
            ("platform_connections", "Connections to the platform in use.", state.connections),
            ("journal_trouble", "1 if the journal cannot be written.", state.trouble),
            ("workers", "Serving processes.", 1),
            ("workers_ready", "Serving processes that accept calls.", state.ready),
        ):
            yield GaugeMetricFamily(f"vertexkit_{name}", documentation, value=float(value))
