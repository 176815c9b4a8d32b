"""What is counted and timed, for Prometheus; docs/monitoring.md says what each figure tells."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vertexkit.botone.wire import Answer, Wire
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown
from vertexkit.telemetry.counters import Count, Timing
from vertexkit.telemetry.events import Events
from vertexkit.telemetry.prometheus import Snapshot, gather

WORK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: upper bounds for what people wait for."""
MOMENTS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds: upper bounds for what a machine does in between."""
CODES = 64
"""Different codes of authors' failures that are told apart; the rest is `other`, so that a code
made of an input cannot fill the memory."""
LOUD = ("accepted", "queue_full", "overloaded", "journal_unavailable")
"""Answers to calls, and below ends of executions, that each block shows from the start on: an alert
sees the first of them only if there was a 0 before."""
PARKED = ("attempts", "internal", "nondeterministic", "refused", "unknown", "unreachable")
ENDS = (("completed", "ok"), *(("parked", code) for code in PARKED))

Counter = Callable[[str, dict[str, Any]], None]
"""Called with an event's block and fields."""


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
        name = "vertexkit_journal_commit_seconds"
        self._time = Timing(name, "Time of the journal's commits.", MOMENTS)
        self._writes = Count("vertexkit_journal_writes", "Changes that were committed.")
        self._failures = Count("vertexkit_journal_commit_failures", "Commits that failed.")
        for each in (self._time, self._writes, self._failures):
            registry.register(each)

    def __call__(self, writes: int, seconds: float) -> None:
        if writes:
            self._time.add((), seconds)
            self._writes.values[()] += writes
        else:
            self._failures.values[()] += 1

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
        count, timing = self._count, self._timing
        self._calls = count("calls", "Calls, by what was answered.", "block", "answer")
        self._settled = count(
            "executions_settled", "Executions that ended.", "block", "outcome", "code"
        )
        self._interrupted = count(
            "executions_interrupted", "Runs that this process could not end.", "block", "how"
        )
        self._messages = count("messages", "Messages, by what became of them.", "block", "outcome")
        self._retries = count("retries", "What was tried again.", "block", "what")
        self._rejections = count(
            "refusals", "Blocks of refused calls that were to be completed.", "code", "outcome"
        )
        self._requests = count("platform_requests", "Requests to the platform.", "method", "status")
        self._blocked = count("loop_blocked", "Times that the event loop was held up.", "block")
        self._wait = timing("queue_wait_seconds", "From a call to its first run.", WORK, "block")
        self._duration = timing(
            "execution_seconds", "From the last run's start to the outcome.", WORK, "block"
        )
        self._request_time = timing(
            "platform_request_seconds", "Time of the platform's answers.", WORK, "method"
        )
        self._lag = timing(
            "loop_lag_seconds", "How late the event loop came to what was due.", MOMENTS
        )

    def _count(self, name: str, documentation: str, *labels: str) -> Count:
        count = Count(f"vertexkit_{name}", documentation, *labels)
        self._registry.register(count)
        return count

    def _timing(
        self, name: str, documentation: str, bounds: tuple[float, ...], *labels: str
    ) -> Timing:
        timing = Timing(f"vertexkit_{name}", documentation, bounds, *labels)
        self._registry.register(timing)
        return timing

    def expect(self, blocks: Iterable[str]) -> None:
        """Show these blocks from now on, and be it with zeros."""
        for block in blocks:
            for answer in LOUD:
                self._calls.values[block, answer] += 0
            for outcome, code in ENDS:
                self._settled.values[block, outcome, code] += 0
            for outcome in SENT:
                self._messages.values[block, outcome] += 0
            self._blocked.values[block,] += 0
            self._wait.expect((block,))
            self._duration.expect((block,))

    def follow(self, events: Events) -> None:
        """Count what these events tell."""
        counters = {
            name: _counting(count, label)
            for count, labels in (
                (self._calls, ANSWERED),
                (self._messages, SENT),
                (self._retries, RETRIED),
                (self._interrupted, INTERRUPTED),
            )
            for name, label in labels.items()
        }
        counters |= {name: self._refusing(label) for name, label in REFUSED.items()}
        events.count(counters | {"claimed": self._claimed, "settled": self._ended})

    def wire(self, wire: Wire) -> Wire:
        """A wire whose requests are counted and timed."""
        return _TimedWire(wire, self._requested)

    def refused(self, block: str, code: str) -> None:
        """A call was answered with a problem of this code; `block` is empty if there is none."""
        self._calls.values[block, self._known(code)] += 1

    def late(self, seconds: float) -> None:
        """The event loop came so many seconds late to what was due."""
        self._lag.add((), seconds)

    def blocked(self, block: str) -> None:
        """A handler of this block held the loop up; empty if nobody knows which."""
        self._blocked.values[block,] += 1

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
        self._requests.values[method, status] += 1
        self._request_time.add((method,), seconds)

    def _claimed(self, block: str, fields: dict[str, Any]) -> None:
        if fields["attempt"] == 1:
            self._wait.add((block,), fields["waited"])

    def _ended(self, block: str, fields: dict[str, Any]) -> None:
        self._settled.values[block, fields["outcome"], self._known(fields["code"])] += 1
        self._duration.add((block,), fields["seconds"])

    def _refusing(self, outcome: str) -> Counter:
        values = self._rejections.values

        def count(_: str, fields: dict[str, Any]) -> None:
            values[fields["code"], outcome] += 1

        return count


# Events, and the label under which each is counted.
ANSWERED = {"accepted": "accepted", "duplicate": "duplicate"}
SENT = {"sent": "sent", "unknown": "unknown", "send_failed": "send_failed"}
RETRIED = {"retried": "handler", "send_retried": "message", "complete_retried": "completion"}
INTERRUPTED = {name: name for name in ("abandoned", "fenced", "released", "journal_unavailable")}
REFUSED = {
    "refused": "completed",
    "rejected_call_completion_failed": "failed",
    "rejected_call_completion_dropped": "dropped",
}


def _counting(counted: Count, label: str) -> Counter:
    """Counts an event under its block and this label."""
    values = counted.values

    def count(block: str, _: dict[str, Any]) -> None:
        values[block, label] += 1

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
