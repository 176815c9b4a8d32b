"""What is counted and timed, for Prometheus; docs/monitoring.md says what each figure tells."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vertexkit.botone.wire import Answer, Wire
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown
from vertexkit.events import Events
from vertexkit.exposition import Snapshot, gather

WORK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: upper bounds for what people wait for."""
MOMENTS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds: upper bounds for what a machine does in between."""
CODES = 64
"""Different codes of authors' failures that are told apart; the rest is `other`, so that a code
made of an input cannot fill the memory."""

# Events, and the label under which each is counted.
ANSWERED = {"accepted": "accepted", "duplicate": "duplicate"}
SENT = {"sent": "sent", "unknown": "unknown", "unsent": "unsent"}
RETRIED = {"retried": "handler", "send_retried": "message", "complete_retried": "completion"}
INTERRUPTED = {name: name for name in ("abandoned", "fenced", "released", "unwritten")}
REFUSED = {"refused": "completed", "refusal_failed": "failed", "refusal_dropped": "dropped"}


@dataclass(frozen=True, slots=True)
class State:
    """How a process is at this moment."""

    running: Mapping[str, int] = field(default_factory=dict)
    """Handlers, by block."""
    held: int = 0
    waiting: int = 0
    connections: int = 0
    trouble: bool = False
    ready: bool = True


@runtime_checkable
class Committing(Protocol):
    """A journal that commits to a disk."""

    on_commit: Callable[[int, float], None]
    """Called after each commit with the number of its changes, 0 for one that failed, and with
    the seconds that it took."""


class Commits:
    """Counts a journal's commits.

    Args:
        registry: that they belong to.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._time = Histogram(
            "vertexkit_journal_commit_seconds",
            "Time of the journal's commits, until the disk had them.",
            registry=registry,
            buckets=MOMENTS,
        )
        self._writes = Counter(
            "vertexkit_journal_writes", "Changes that were committed.", registry=registry
        )
        self._failures = Counter(
            "vertexkit_journal_commit_failures", "Commits that failed.", registry=registry
        )

    def __call__(self, writes: int, seconds: float) -> None:
        if writes:
            self._time.observe(seconds)
            self._writes.inc(writes)
        else:
            self._failures.inc()

    def watch(self, journal: object) -> None:
        """Count this journal's commits, if it has any."""
        if isinstance(journal, Committing):
            journal.on_commit = self


class Metrics:
    """The figures of one process. Fed by its events, its wire, its journal and its watchdog.

    Args:
        state: tells how the process is, whenever somebody asks for the figures.
    """

    def __init__(self, state: Callable[[], State] = State) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Now(state))
        self.commits = Commits(self._registry)
        self._codes: set[str] = set()
        self._children: dict[tuple[str, ...], Counter] = {}
        self._timers: dict[tuple[str, str], Histogram] = {}
        self._calls = self._counter("calls", "Calls, by what was answered.", "block", "answer")
        self._settled = self._counter(
            "executions_settled", "Executions that ended.", "block", "outcome", "code"
        )
        self._interrupted = self._counter(
            "executions_interrupted", "Runs that this process could not end.", "block", "how"
        )
        self._messages = self._counter(
            "messages", "Messages, by what became of them.", "block", "outcome"
        )
        self._retries = self._counter("retries", "What was tried again.", "block", "what")
        self._refusals = self._counter(
            "refusals", "Blocks of refused calls that were to be completed.", "code", "outcome"
        )
        self._requests = self._counter(
            "platform_requests", "Requests to the platform.", "method", "status"
        )
        self._blocked = self._counter(
            "loop_blocked", "Times that a handler held the event loop up.", "block"
        )
        self._wait = self._histogram(
            "queue_wait_seconds", "From a call's acceptance to its first run.", "block"
        )
        self._duration = self._histogram(
            "execution_seconds", "From the start of the last run to the outcome.", "block"
        )
        self._request_time = self._histogram(
            "platform_request_seconds", "Time of the platform's answers.", "method"
        )
        self._lag = Histogram(
            "vertexkit_loop_lag_seconds",
            "How late the event loop came to what was due.",
            registry=self._registry,
            buckets=MOMENTS,
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"vertexkit_{name}", documentation, labels, registry=self._registry)

    def _histogram(self, name: str, documentation: str, label: str) -> Histogram:
        return Histogram(
            f"vertexkit_{name}",
            documentation,
            [label],
            registry=self._registry,
            buckets=WORK,
        )

    def _count(self, counter: Counter, *labels: str) -> None:
        """As `counter.labels(...).inc()`, which costs three times as much."""
        key = (counter._name, *labels)  # noqa: SLF001 - the client has no public name for it
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        child.inc()

    def _time(self, histogram: Histogram, label: str, seconds: float) -> None:
        key = (histogram._name, label)  # noqa: SLF001 - as above
        child = self._timers.get(key)
        if child is None:
            child = self._timers[key] = histogram.labels(label)
        child.observe(seconds)

    def follow(self, events: Events) -> None:
        """Count what these events tell."""
        events.count(self._counters())

    def wire(self, wire: Wire) -> Wire:
        """A wire whose requests are counted and timed."""
        return _TimedWire(wire, self._requested)

    def refused(self, block: str, code: str) -> None:
        """A call was answered with a problem of this code; `block` is empty if there is none."""
        self._count(self._calls, block, self._known(code))

    def late(self, seconds: float) -> None:
        """The event loop came so many seconds late to what was due."""
        self._lag.observe(seconds)

    def blocked(self, block: str) -> None:
        """A handler of this block held the loop up; empty if nobody knows which."""
        self._count(self._blocked, block)

    def snapshot(self) -> Snapshot:
        """All figures as they are now, with those that authors keep in Prometheus's registry."""
        return gather(self._registry, REGISTRY)

    def _known(self, code: str) -> str:
        if code not in self._codes:
            if len(self._codes) >= CODES:
                return "other"
            self._codes.add(code)
        return code

    def _requested(self, method: str, status: str, seconds: float) -> None:
        self._count(self._requests, method, status)
        self._time(self._request_time, method, seconds)

    def _counters(self) -> dict[str, Callable[[str, dict[str, Any]], None]]:
        """What each event is counted by."""
        tables = (
            (self._calls, ANSWERED),
            (self._messages, SENT),
            (self._retries, RETRIED),
            (self._interrupted, INTERRUPTED),
        )
        counters = {
            name: _counting(counter, label)
            for counter, labels in tables
            for name, label in labels.items()
        }
        counters |= {name: self._refusing(label) for name, label in REFUSED.items()}
        return counters | {"claimed": self._claimed, "settled": self._ended}

    def _refusing(self, outcome: str) -> Callable[[str, dict[str, Any]], None]:
        return lambda _, fields: self._count(self._refusals, fields["code"], outcome)

    def _claimed(self, block: str, fields: dict[str, Any]) -> None:
        if fields["attempt"] == 1:
            self._time(self._wait, block, fields["waited"])

    def _ended(self, block: str, fields: dict[str, Any]) -> None:
        self._count(self._settled, block, fields["outcome"], self._known(fields["code"]))
        self._time(self._duration, block, fields["seconds"])


def _counting(counter: Counter, label: str) -> Callable[[str, dict[str, Any]], None]:
    """Counts an event under its block and this label."""
    children: dict[str, Counter] = {}

    def count(block: str, _: dict[str, Any]) -> None:
        child = children.get(block)
        if child is None:
            child = children[block] = counter.labels(block, label)
        child.inc()

    return count


class _Now(Collector):
    """What is read when somebody asks, and costs nothing before."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        running = GaugeMetricFamily(
            "vertexkit_handlers_running", "Handlers that run now.", labels=["block"]
        )
        for block, number in state.running.items():
            running.add_metric([block], number)
        info = GaugeMetricFamily("vertexkit_info", "Always 1.", labels=["version"])
        info.add_metric([version("vertexkit")], 1)
        yield from (running, info)
        for name, documentation, value in (
            ("executions_held", "Executions that a process has in its hands.", state.held),
            ("executions_waiting", "Executions that wait for a handler.", state.waiting),
            ("platform_connections", "Connections to the platform in use.", state.connections),
            ("journal_trouble", "1 if the journal cannot be written.", state.trouble),
            ("workers", "Processes that serve.", 1),
            ("workers_ready", "Processes that take calls.", state.ready),
        ):
            yield GaugeMetricFamily(f"vertexkit_{name}", documentation, value=float(value))


class _TimedWire:
    """Tells of each request how long it took and what came of it."""

    def __init__(self, wire: Wire, told: Callable[[str, str, float], None]) -> None:
        self._wire = wire
        self._told = told

    async def post(self, url: str, body: bytes, timeout: float) -> Answer:
        began = time.perf_counter()
        status = "cancelled"
        try:
            answer = await self._wire.post(url, body, timeout)
        except PlatformUnreachable:
            status = "unreachable"
            raise
        except SendOutcomeUnknown:
            status = "unknown"
            raise
        else:
            status = str(answer.status)
            return answer
        finally:
            method = url.rpartition("/")[2]
            self._told(method, status, time.perf_counter() - began)

    async def close(self) -> None:
        await self._wire.close()
