"""A running app: the objects of one process, created and connected, from start to drain."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import anyio
import structlog
from anyio import to_thread
from pydantic_core import to_json
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.registry import Blocks
from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.aiohttp_wire import AiohttpWire
from vertexkit.botone.http_client import HttpClient
from vertexkit.botone.instance_clients import InstanceClients
from vertexkit.botone.proxies import Proxies
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.botone.timed_wire import TimedWire
from vertexkit.botone.vertex import Vertex
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.context.branches import tracked_tasks
from vertexkit.context.event_names import check_event_name
from vertexkit.context.event_types import EventTypes
from vertexkit.context.runtime import Runtime
from vertexkit.errors import DefinitionError, JournalUnusable
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.events import EventReceiver, deliver, validate_event, why_not_delivered
from vertexkit.ingress.inbox import Inbox
from vertexkit.ingress.pacing import Pacing
from vertexkit.ingress.receiver import Receiver
from vertexkit.ingress.rejections import Rejections
from vertexkit.ingress.request import ReadCall
from vertexkit.journal import make_journal
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import Journal
from vertexkit.recordings.live import ServiceRecorder
from vertexkit.references import error_fields
from vertexkit.settings import PlatformSettings, Settings
from vertexkit.system.parent import wait_for_end_of_parent
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry import otel_setup
from vertexkit.telemetry.aggregation import MetricsReporter
from vertexkit.telemetry.events import Events
from vertexkit.telemetry.metrics import Metrics, ProcessState
from vertexkit.telemetry.prometheus import Snapshot
from vertexkit.worker.dispatcher import Dispatcher
from vertexkit.worker.policy import HandlerPolicy, Middleware, OnFailure
from vertexkit.worker.watchdog import Watchdog

JOURNAL_LOST = (
    "the journal can no longer be written ({}). Fix the cause, then start the service again: it "
    "continues with the executions that the journal has then"
)
PARENT_ENDED = "the process that started this worker has ended. Start the service again"
BACKGROUND_TASK_FAILED = (
    "a background task failed ({}); its traceback is logged above. Start the service again: it "
    "continues with the executions that the journal has"
)

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class AppDefinition(Protocol):
    """What the author of an app has defined; `App` is one."""

    @property
    def blocks(self) -> Blocks:
        """The blocks by name."""

    @property
    def lifespan(self) -> Callable[[Any], AbstractAsyncContextManager[Any]] | None:
        """Makes a context around the service; what it yields is `ctx.state`."""

    @property
    def middleware(self) -> Sequence[Middleware]:
        """Wraps every handler; the first one is the outermost."""

    @property
    def read_call(self) -> ReadCall:
        """Reads the platform's calls."""

    @property
    def on_failure(self) -> OnFailure | None:
        """Called when a block failed."""

    @property
    def settings(self) -> Settings | None:
        """Settings of the app; None: they are read when the service starts."""


@asynccontextmanager
async def running_service(
    app: AppDefinition,
    settings: Settings,
    *,
    clock: Clock | None = None,
    wire: Wire | None = None,
    journal: Journal | None = None,
    client: HttpClient | None = None,
    export_traces: bool = False,
) -> AsyncIterator["Service"]:
    """Run an app, from its author's lifespan to the drain.

    Args:
        app: what is run.
        settings: of the process.
        clock: by default real time.
        wire: carries requests to the platform; by default the one that the settings select.
        journal: by default the one that the settings name.
        client: HTTP client of `ctx.dialog`, which is not closed; by default one for each instance.
        export_traces: whether to start OpenTelemetry's exporter if the environment configures it.

    Yields:
        The service, which accepts calls.

    Raises:
        DefinitionError: the app has no block.
        SettingsError: a setting is invalid.
        JournalUnusable: the journal cannot be opened.
    """
    if not app.blocks:
        raise DefinitionError('the app has no block: decorate a handler with @app.block("name")')
    clock = clock or Clock()
    journal = journal or make_journal(settings.journal, clock)
    async with AsyncExitStack() as stack:
        wire = wire or _make_wire(settings.platform)
        stack.push_async_callback(wire.close)
        state: Any = None
        if app.lifespan is not None:
            state = await stack.enter_async_context(app.lifespan(app))
        if export_traces and (flush := otel_setup.start_exporter()) is not None:
            stack.push_async_callback(to_thread.run_sync, flush)
        otel_setup.use_tracer()
        service = Service(app, settings, clock, wire, journal, state, client)
        stack.enter_context(service.supervisor.watch_callbacks())
        stack.enter_context(tracked_tasks())
        await service.start()
        stack.push_async_callback(service.drain)
        try:
            yield service
        finally:
            await stack.aclose()  # without the exception, if there is one: it is not the lifespan's


class Service:
    """The objects of a process that runs an app.

    Args:
        app: what is run.
        settings: of the process.
        clock: measures all times.
        wire: carries requests to the platform.
        journal: keeps the executions; `start` opens it.
        state: what the app's lifespan yielded.
        client: HTTP client of `ctx.dialog`; by default one for each instance.
    """

    def __init__(
        self,
        app: AppDefinition,
        settings: Settings,
        clock: Clock,
        wire: Wire,
        journal: Journal,
        state: Any,
        client: HttpClient | None = None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Has a result, a sentence that says why, as soon as this process cannot continue."""
        self.drained: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Has a result as soon as the journal is closed."""
        self.blocks: Blocks = app.blocks
        self.supervisor: Supervisor = Supervisor(self.background_task_failed)
        self._not_ready = "stopping"
        """Why calls are rejected, once they are."""
        address = PlatformAddress(settings.platform.url, settings.platform.instances)
        self.metrics: Metrics = Metrics(self.state)
        self._reporter: MetricsReporter | None = None
        self.events: Events = Events(clock, self.metrics)
        self.metrics.declare_blocks(app.blocks)
        wire = TimedWire(wire, self.metrics)
        if (recorder := self._record(clock)) is not None:
            wire = recorder.wire(wire)
        vertex = self._vertex = Vertex(wire, address, clock, settings.platform)
        self.clients: InstanceClients = InstanceClients(address, settings.platform, clock, client)
        self.event_types: EventTypes = EventTypes()
        events, types, url = self.events, self.event_types, settings.server.events_url
        runtime = Runtime(journal, vertex, events, clock, self.clients, state, types, url)
        self.dispatcher: Dispatcher = Dispatcher(
            app.blocks,
            runtime,
            _policy(app, settings, recorder),
            completion_timeout=settings.platform.complete_patience,
            lease=settings.journal.lease,
            supervisor=self.supervisor,
        )
        self.rejections: Rejections = Rejections(vertex, clock, self.events, self.supervisor)
        self.access: AccessControl = AccessControl(settings.access)
        self.receiver: Receiver = self._receiver(app, address, clock)
        limit = settings.server.body_limit
        self.event_receiver: EventReceiver = EventReceiver(journal, self.event_types, limit)
        self.watchdog: Watchdog = Watchdog(settings.handlers.stall, self.metrics, self.supervisor)

    def _receiver(self, app: AppDefinition, address: PlatformAddress, clock: Clock) -> Receiver:
        queue = self.settings.journal.queue
        pacing = Pacing(self.dispatcher.count_waiting, queue, clock)
        self.dispatcher.notify_ended(pacing.execution_ended)
        return Receiver(
            app.blocks,
            Inbox(self.journal, self.events, queue, self.dispatcher, clock, pacing),
            self.rejections,
            address,
            self.access,
            app.read_call,
            self.settings,
            self.metrics,
        )

    def _record(self, clock: Clock) -> ServiceRecorder | None:
        """Record every execution if VERTEXKIT_RECORD is set."""
        if (folder := self.settings.logging.record) is None:
            return None
        cipher = recordings_cipher(self.settings.journal)
        recorder = ServiceRecorder(folder, clock, self.settings.server.app, cipher)
        self.events.subscribe(recorder.event)
        self.events.subscribe_contents(recorder.contents)
        return recorder

    async def start(self) -> None:
        """Open the journal and start to claim executions."""
        await self.dispatcher.start(_JournalEvents(self))

    async def share_metrics(self, socket: Path) -> None:
        """Report this process's metrics at a socket; `GET /metrics` returns the sum from then on.

        Args:
            socket: of the process that adds up the metrics of all workers.
        """
        reporter = MetricsReporter(socket, self.metrics.snapshot, self.supervisor)
        try:
            await reporter.open()
        except OSError as error:  # the service works without it
            log.warning("metrics_not_shared", **error_fields(error))
        else:
            self._reporter = reporter

    async def watch_parent(self) -> None:
        """Stop when the process that has started this worker has ended; never returns.

        Without it, this worker would keep the port, and would not be stopped with the service.
        """
        await wait_for_end_of_parent()
        log.critical("parent_ended")
        self._fail("parent process ended", PARENT_ENDED)
        await asyncio.Event().wait()

    def stop_accepting(self) -> None:
        """Report not ready and reject calls from now on. Accepted executions continue."""
        self.receiver.closed = True

    def skip_drain_phase(self) -> None:
        """Skip the rest of the drain's current phase; during the grace period, stop the handlers."""
        self.dispatcher.skip_drain_phase()

    def journal_lost(self, reason: str) -> None:
        """Stop: the journal cannot be written any more by this process."""
        log.critical("journal_lost", reason=reason, reference=JournalUnusable.reference)
        self._fail("journal lost", JOURNAL_LOST.format(reason))

    def background_task_failed(self, reason: str) -> None:
        """Stop: without this task, executions may not continue."""
        self._fail(f"background task failed ({reason})", BACKGROUND_TASK_FAILED.format(reason))

    def _fail(self, not_ready: str, failure: str) -> None:
        """Turn readiness off, and let the server end the process. The first failure counts."""
        if not self.failed.done():
            self._not_ready = not_ready
            self.failed.set_result(failure)
            self.stop_accepting()
            self.skip_drain_phase()

    @property
    def failure(self) -> str:
        """Why this process cannot continue, as a sentence; empty if it can."""
        return self.failed.result() if self.failed.done() else ""

    async def drain(self) -> None:
        """Stop: finish or release the executions, within the grace period and a few seconds."""
        self.stop_accepting()
        log.info("drain_started", executions=self.dispatcher.held)
        await self.dispatcher.drain(self.settings.handlers.grace)
        await self.rejections.drain(self.settings.handlers.cleanup)
        self.drained.set_result(None)
        await self.clients.close()
        if self._reporter is not None:
            await self._reporter.close()

    async def send_event(self, execution: str, name: str, data: Any) -> bool:
        """Deliver an event; see `App.send_event`."""
        check_event_name(name)
        encoded = to_json(data)
        target = await self.journal.event_target(execution)
        if target is not None:
            validate_event(self.event_types, target, name, encoded)
        delivery = await deliver(self.journal, execution, name, encoded)
        if (error := why_not_delivered(delivery, execution, name)) is not None:
            raise error
        return delivery is Delivery.NEW

    def state(self) -> ProcessState:
        """Return the state of this process, for the metrics."""
        return ProcessState(
            running=self.dispatcher.running,
            held=self.dispatcher.held,
            waiting=self.journal.backlog(),
            waiting_for_limits=self.dispatcher.waiting_for_limits,
            suspended=self.journal.suspended(),
            connections=self.settings.platform.connections - self._vertex.limiter.available,
            trouble=bool(self.failure or self.journal.unavailable_reason()),
            ready=self.readiness()[0] == 200,
        )

    async def snapshot(self) -> Snapshot:
        """Return the metrics of this process, or of all workers of the service."""
        if self._reporter is not None:
            with suppress(OSError):
                return await self._reporter.merged()
        return self.metrics.snapshot()

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return status and content of `GET /readyz`; if not ready, the content has the reasons."""
        reasons = []
        if self.receiver.closed:
            reasons.append(self._not_ready)
        elif self.journal.unavailable_reason():
            reasons.append("journal cannot be written")
        if self.journal.backlog() >= self.settings.journal.queue:
            reasons.append("queue full")
        if self.watchdog.is_loop_blocked:
            reasons.append("event loop blocked")
        return (503, {"ready": False, "reasons": reasons}) if reasons else (200, {"ready": True})


class _JournalEvents:
    """The `JournalObserver` of a service: passes events on to its parts.

    Args:
        service: uses the journal.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        commits = service.metrics.commits
        self.committed, self.commit_failed = commits.committed, commits.commit_failed

    def ready(self) -> None:
        self._service.dispatcher.wake()

    def accepting(self) -> None:
        self._service.dispatcher.expect_call()

    def lost(self, reason: str) -> None:
        self._service.journal_lost(reason)


def _make_wire(settings: PlatformSettings) -> Wire:
    """Return the wire that the settings select; through a proxy it is always aiohttp's.

    Raises:
        SettingsError: the platform's proxy cannot be used.
    """
    proxies = Proxies.from_environment()
    urls = PlatformAddress(settings.url, settings.instances).urls
    proxied = [url for url in urls if proxies.find(url) is not None]
    if proxied or settings.wire == "aiohttp":
        return AiohttpWire(proxies)
    return SocketWire()


def _policy(
    app: AppDefinition, settings: Settings, recorder: ServiceRecorder | None
) -> HandlerPolicy:
    return HandlerPolicy(
        settings.handlers,
        anyio.CapacityLimiter(settings.handlers.threads),
        app.middleware,
        app.on_failure,
        recorder,
    )
