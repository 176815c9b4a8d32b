"""An app as an ASGI application: its service runs from the server's startup to its shutdown."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TypeAlias

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.registry import Blocks
from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.proxies import Proxies, display
from vertexkit.clock import Clock
from vertexkit.console.mount import ConsoleMount
from vertexkit.console.source import ConsoleSource
from vertexkit.errors import SettingsError
from vertexkit.ingress.ops import OpsServer
from vertexkit.ingress.routes import block_routes, event_routes, information_routes, make_router
from vertexkit.journal import make_journal
from vertexkit.journal.admin import TimeLimitedAdmin
from vertexkit.journal.protocol import JournalAdmin, JournalBackend
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.server import offered_to_operators
from vertexkit.server.problems import RETRY_AFTER_SECONDS, problem
from vertexkit.service import AppDefinition, Service, running_service
from vertexkit.settings import Settings, new_warnings
from vertexkit.telemetry import logs, redaction

log: FilteringBoundLogger = structlog.get_logger("vertexkit")

Announce: TypeAlias = Callable[[Blocks, Settings], None]
JOURNAL_SILENT = (
    "the journal did not answer in time: its disk, its server or the process that has it open does "
    "not respond"
)
NOT_STARTED = (
    "The app has not been started, because its lifespan was not run. Serve it with `vertexkit run`, "
    "or with uvicorn without `--lifespan off`. If it is mounted in another ASGI application, enter "
    "`app.serving()` in the lifespan of that application."
)


class AsgiApp:
    """The ASGI application of an app. At startup it reads the settings and starts the service.

    Args:
        app: what is served.
    """

    def __init__(self, app: AppDefinition) -> None:
        self.service: Service | None = None
        """The running service, from startup to shutdown."""
        self.journal_socket: Path | None = None
        """Socket of the process that has the journal open; None: this process opens it."""
        self.metrics_socket: Path | None = None
        """Socket of the process that adds up the metrics of all workers, if there are several."""
        self.announce: Announce | None = None
        """Called when the journal is open and calls are accepted."""
        self._app = app
        self._router = make_router([], self.lifespan)
        self._reported = False
        """Whether the log says that the lifespan does not run."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan of the server."""
        if self.service is None and scope["type"] == "http":
            if not self._reported:
                log.error("request_rejected", code="not_started", reason=NOT_STARTED)
                self._reported = True
            response = problem(503, "not_started", NOT_STARTED, retry_after=RETRY_AFTER_SECONDS)
            await response(scope, receive, send)
        else:
            await self._router(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run the service in this context, as a server enters it by its events."""
        settings = self._app.settings or Settings.load()
        writer = None
        if not structlog.is_configured():
            writer = logs.configure(settings.logging.format, settings.logging.level)
        if self._app.settings is None and self.metrics_socket is None:  # not in each worker
            for warning in new_warnings():
                log.warning("setting_ignored", reason=warning, reference=SettingsError.reference)
        settings.check_platform()
        redaction.register_secrets(settings.secrets())
        try:
            async with self._running(settings) as (service, ops, journal):
                self._route(service, ops, journal)
                if self.announce is not None:
                    self.announce(service.blocks, settings)
                service.failed.add_done_callback(lambda _: signal.raise_signal(signal.SIGTERM))
                log.info(
                    "started",
                    blocks=list(service.blocks),
                    platform=settings.platform.url,
                    **_proxy_field(settings),
                    journal=settings.journal.shown_url,
                    durability=service.journal.durability,
                )
                yield
        finally:
            self.service = None
        log.info("stopped")
        if writer is not None:
            writer.flush()

    @asynccontextmanager
    async def _running(
        self, settings: Settings
    ) -> AsyncIterator[tuple[Service, OpsServer, JournalAdmin]]:
        """Run the service with everything that surrounds it in a process of its own."""
        clock = Clock()
        journal = self._make_journal(settings, clock)
        async with (
            OpsServer(settings.server, shared=self.metrics_socket is not None) as ops,
            running_service(
                self._app, settings, clock=clock, journal=journal, export_traces=True
            ) as service,
            self._offered(journal, service),
            service.watchdog,
        ):
            self.service = service
            watches = []
            if self.metrics_socket is not None:
                await service.share_metrics(self.metrics_socket)
                watch = service.watch_parent()
                watches.append(service.supervisor.start("watch of the parent process", watch))
            try:
                yield service, ops, journal
            finally:
                service.supervisor.cancel(*watches)

    def _make_journal(self, settings: Settings, clock: Clock) -> JournalBackend | JournalClient:
        if self.journal_socket is not None:
            return JournalClient(self.journal_socket)
        return make_journal(settings.journal, clock)

    def _offered(
        self, journal: JournalBackend | JournalClient, service: Service
    ) -> AbstractAsyncContextManager[None]:
        """Return a context in which operators can use the journal, if this process has it open."""
        if isinstance(journal, JournalClient):
            return nullcontext()
        return offered_to_operators(journal, service.supervisor)

    def _route(self, service: Service, ops: OpsServer, journal: JournalAdmin) -> None:
        ack_status = service.settings.server.ack_status
        routes = block_routes(service.blocks, service.receiver)
        routes += event_routes(service.event_receiver)
        platform = service.settings.platform.local_url
        if service.settings.server.ops_port:
            information = information_routes(service.blocks, ack_status, platform, service, None)
            ops.app = _with_console(make_router(information), service, journal)
        else:
            routes += information_routes(
                service.blocks, ack_status, platform, service, service.access
            )
        self._router.routes[:] = routes


def _with_console(app: ASGIApp, service: Service, journal: JournalAdmin) -> ASGIApp:
    """Serve the operators' console beside an app, unless it is turned off."""
    settings = service.settings
    if settings.server.console == "off":
        return app
    source = ConsoleSource(
        lambda: nullcontext(TimeLimitedAdmin(journal, JOURNAL_SILENT)),
        settings.journal.shown_url,
        service,
        settings.server.console == "write",
        logs.keep_lines(),
    )
    return ConsoleMount(app, source, settings.access.trusted_proxies)


def _proxy_field(settings: Settings) -> dict[str, str]:
    """The platform's proxy as a field of a log line; empty if there is none."""
    address = PlatformAddress(settings.platform.url, settings.platform.instances)
    proxy = Proxies.from_environment().find(address.urls[0]) if address.urls else None
    return {} if proxy is None else {"proxy": display(proxy)}


def http_app(service: Service) -> ASGIApp:
    """Make an ASGI application, without lifespan, that serves a running service."""
    ack_status = service.settings.server.ack_status
    return make_router(
        [
            *block_routes(service.blocks, service.receiver),
            *event_routes(service.event_receiver),
            *information_routes(
                service.blocks,
                ack_status,
                service.settings.platform.local_url,
                service,
                service.access,
            ),
        ]
    )
