"""An app at work: the floors wired together, from a process's start to its end."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import anyio
import structlog

from vertexkit.blocks.registry import Blocks
from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.http_client import HttpClient
from vertexkit.botone.instance_clients import InstanceClients
from vertexkit.botone.timed_wire import TimedWire
from vertexkit.botone.vertex import Vertex
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.context.runtime import Runtime
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.inbox import Inbox
from vertexkit.ingress.receiver import Receiver
from vertexkit.ingress.rejections import Rejections
from vertexkit.ingress.request import ReadCall
from vertexkit.journal.protocol import Journal
from vertexkit.recordings.live import ServiceRecorder
from vertexkit.settings import Settings
from vertexkit.telemetry import prometheus
from vertexkit.telemetry.aggregation import MetricsReporter
from vertexkit.telemetry.events import Events
from vertexkit.telemetry.metrics import Metrics, ProcessState
from vertexkit.worker.dispatcher import Dispatcher
from vertexkit.worker.policy import HandlerPolicy, Middleware, OnFailure
from vertexkit.worker.watchdog import Watchdog

log = structlog.get_logger("vertexkit")


class Author(Protocol):
    """What the author of an app has written."""

    blocks: Blocks
    middleware: tuple[Middleware, ...]
    on_failure: OnFailure | None
    read_call: ReadCall


class Service:
    """An app at work: everything that lives from the start of a process to its end."""

    def __init__(
        self,
        author: Author,
        settings: Settings,
        clock: Clock,
        wire: Wire,
        journal: Journal,
        state: Any,
        client: HttpClient | None = None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.lost = ""
        """Why the journal cannot be used any more."""
        self.on_lost: Callable[[], object] = lambda: None
        """Called when that happens, by a server that then ends."""
        address = PlatformAddress(settings.platform.url, settings.platform.instances)
        self.metrics = Metrics(self.state)
        self._reporter: MetricsReporter | None = None
        self.events = Events(clock, self.metrics)
        wire = self._measured(author.blocks, wire)
        recorder = self._record(clock)
        if recorder is not None:
            wire = recorder.wire(wire)
        vertex = self._vertex = Vertex(wire, address, clock, settings.platform)
        self.clients = InstanceClients(address, settings.platform, clock, client)
        runtime = Runtime(journal, vertex, self.events, clock, self.clients, state)
        self.dispatcher = Dispatcher(
            author.blocks,
            runtime,
            _policy(author, settings, recorder),
            completion_timeout=settings.platform.complete_patience,
            lease=settings.journal.lease,
        )
        self.rejections = Rejections(vertex, clock, self.events)
        inbox = Inbox(journal, self.events, settings.journal.queue, self.dispatcher)
        self.access = AccessControl(settings.access)
        self.receiver = Receiver(
            author.blocks,
            inbox,
            self.rejections,
            address,
            self.access,
            author.read_call,
            settings,
            self.metrics,
        )
        self.watchdog = Watchdog(settings.handlers.stall, self.metrics)

    def _measured(self, blocks: Blocks, wire: Wire) -> Wire:
        """Let the metrics see what happens; gives the wire that they see."""
        self.metrics.declare_blocks(blocks)
        return TimedWire(wire, self.metrics)

    def _record(self, clock: Clock) -> ServiceRecorder | None:
        """Record every execution if VERTEXKIT_RECORD is set."""
        if self.settings.logging.record is None:
            return None
        recorder = ServiceRecorder(self.settings.logging.record, clock, self.settings.server.app)
        self.events.subscribe(recorder.event)
        return recorder

    async def start(self) -> None:
        """Open the journal and start to claim executions."""
        await self.dispatcher.start(_JournalReports(self))

    async def share_metrics(self, socket: Path) -> None:
        """Report this process's metrics at a socket; `GET /metrics` returns the sum from then on.

        Args:
            socket: of the process that adds up the metrics of all workers.
        """
        reporter = MetricsReporter(socket, self.metrics.snapshot)
        try:
            await reporter.open()
        except OSError as error:  # the service works without it
            log.warning("metrics_not_shared", reason=str(error))
        else:
            self._reporter = reporter

    def stop_accepting(self) -> None:
        """Report not ready and reject calls from now on. Accepted executions continue."""
        self.receiver.closed = True

    def hurry(self) -> None:
        """Cut the grace period short: handlers are ended now, and their blocks completed."""
        self.dispatcher.skip_drain_phase()

    def journal_lost(self, reason: str) -> None:
        """Stop: the journal cannot be written any more by this process."""
        log.critical("journal_lost", reason=reason)
        self.lost = reason
        self.stop_accepting()
        self.hurry()
        self.on_lost()

    async def drain(self) -> None:
        """End well, within the grace period and a few seconds."""
        self.stop_accepting()
        log.info("drain_started", executions=self.dispatcher.held)
        await self.dispatcher.drain(self.settings.handlers.grace)
        await self.rejections.drain(self.settings.handlers.cleanup)
        await self.clients.close()
        if self._reporter is not None:
            await self._reporter.close()

    def state(self) -> ProcessState:
        """How this process is, for the metrics."""
        limiter = self._vertex.limiter
        return ProcessState(
            running=self.dispatcher.running,
            held=self.dispatcher.held,
            waiting=self.journal.backlog(),
            connections=self.settings.platform.connections - limiter.available,
            trouble=bool(self.lost or self.journal.unavailable_reason()),
            ready=self.readiness()[0] == 200,
        )

    async def render_metrics(self) -> bytes:
        """Return the body of `GET /metrics`: of this process, or of all workers of the service."""
        if self._reporter is not None:
            with suppress(OSError):
                return prometheus.render(await self._reporter.merged())
        return prometheus.render(self.metrics.snapshot())

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """`GET /readyz`: may calls be sent here? With the reasons if not."""
        reasons = []
        if self.receiver.closed:
            reasons.append("journal lost" if self.lost else "stopping")
        elif self.journal.unavailable_reason():
            reasons.append("journal cannot be written")
        if self.journal.backlog() >= self.settings.journal.queue:
            reasons.append("queue full")
        if self.watchdog.is_loop_blocked:
            reasons.append("event loop held up")
        return (503, {"ready": False, "reasons": reasons}) if reasons else (200, {"ready": True})


class _JournalReports:
    """The observer of the journal: passes its reports on to the parts of a service.

    Args:
        service: whose journal it is.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._commits = service.metrics.commits

    def ready(self) -> None:
        self._service.dispatcher.wake()

    def lost(self, reason: str) -> None:
        self._service.journal_lost(reason)

    def committed(self, changes: int, seconds: float) -> None:
        self._commits.committed(changes, seconds)

    def commit_failed(self) -> None:
        self._commits.commit_failed()


def _policy(author: Author, settings: Settings, recorder: ServiceRecorder | None) -> HandlerPolicy:
    return HandlerPolicy(
        settings.handlers,
        anyio.CapacityLimiter(settings.handlers.threads),
        author.middleware,
        author.on_failure,
        recorder,
    )
