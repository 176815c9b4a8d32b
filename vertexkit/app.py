"""An app: blocks, wired to the platform, as an ASGI application."""

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, Unpack

import structlog
from anyio import to_thread
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.blocks.policies import BlockOptions
from vertexkit.blocks.registry import Blocks
from vertexkit.blocks.signature import Handler
from vertexkit.botone.http_client import HttpClient
from vertexkit.botone.wire import AiohttpWire, Wire
from vertexkit.clock import Clock
from vertexkit.errors import DefinitionError
from vertexkit.ingress.access import AccessControl
from vertexkit.ingress.openapi import JsonEndpoint, catalogue, openapi
from vertexkit.ingress.ops import OpsServer, ops_endpoints
from vertexkit.ingress.request import ReadCall, read_call
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Journal
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.server import offered_to_operators
from vertexkit.server.problems import EXCEPTION_HANDLERS
from vertexkit.service import Service
from vertexkit.settings import Settings
from vertexkit.telemetry import logs, otel_setup, redaction
from vertexkit.worker.policy import Middleware, OnFailure

H = TypeVar("H", bound=Handler)
Lifespan = Callable[["App"], AbstractAsyncContextManager[Any]]

log = structlog.get_logger("vertexkit")


class App:
    """Blocks behind one address; an ASGI application (`uvicorn module:app`).

    Args:
        lifespan: an async context manager made from the app, around the whole process; what it
            yields is `ctx.state`.
        middleware: wrap every handler, the first one outermost:
            `async def timing(ctx, call_next): return await call_next(ctx)`.
        read_call: reads the platform's raw call, instead of `vertexkit.read_call`.
        on_failure: `async def (ctx, failure)`: says what a failed block is completed with; it may
            send a last message. Returning None leaves the usual.
        settings: instead of those from the environment.
    """

    def __init__(
        self,
        *,
        lifespan: Lifespan | None = None,
        middleware: Sequence[Middleware] = (),
        read_call: ReadCall = read_call,
        on_failure: OnFailure | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.blocks = Blocks()
        self.lifespan = lifespan
        self.middleware = tuple(middleware)
        self.read_call = read_call
        self.on_failure = on_failure
        self.service: Service | None = None
        """Set while the app is at work."""
        self.journal_socket: Path | None = None
        """Of the process that has the journal open, if that is another one."""
        self.metrics_socket: Path | None = None
        """Of the process that adds up the metrics of all workers, if there are several."""
        self._settings = settings
        self._asgi: Starlette | None = None

    def __repr__(self) -> str:
        return f"App({', '.join(self.blocks) or 'no blocks'})"

    def block(
        self,
        name: str,
        *,
        title: str = "",
        description: str = "",
        **options: Unpack[BlockOptions],
    ) -> Callable[[H], H]:
        """Make a handler a block; as `Blocks.block`, and it raises the same."""
        return self.blocks.block(name, title=title, description=description, **options)

    def include(self, blocks: Blocks) -> None:
        """Serve the blocks of a collection too.

        Raises:
            DefinitionError: a name is served already; says where both are.
        """
        self.blocks.include(blocks)

    def load_settings(self) -> Settings:
        """The settings that were given, or those of the environment.

        Raises:
            SettingsError: as `Settings.load`.
        """
        return self._settings or Settings.load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._asgi is None:
            self._asgi = _routing([], self._serve)
        await self._asgi(scope, receive, send)

    @asynccontextmanager
    async def started(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        wire: Wire | None = None,
        journal: Journal | None = None,
        client: HttpClient | None = None,
        set_up_tracing: bool = False,
    ) -> AsyncIterator[Service]:
        """The app at work, from the author's lifespan to the drain.

        Args:
            settings: of the process.
            clock: instead of real time, for tests.
            wire: instead of sockets, for tests.
            journal: instead of the one that the settings name.
            client: for `ctx.dialog` instead of sockets, for tests; it is not closed.
            set_up_tracing: set OpenTelemetry up as the environment says, unless the author has.

        Raises:
            DefinitionError: the app has no block.
            SettingsError: a setting does not fit.
        """
        if not self.blocks:
            raise DefinitionError(
                'the app has no block: decorate a handler with @app.block("name")'
            )
        clock = clock or Clock()
        journal = journal or make_journal(settings.journal, clock)
        async with AsyncExitStack() as stack:
            wire = wire or AiohttpWire()
            stack.push_async_callback(wire.close)
            state: Any = None
            if self.lifespan is not None:
                state = await stack.enter_async_context(self.lifespan(self))
            if set_up_tracing and (send_rest := otel_setup.start_exporter()) is not None:
                stack.push_async_callback(to_thread.run_sync, send_rest)
            otel_setup.use_tracer()
            service = Service(self, settings, clock, wire, journal, state, client)
            await service.start()
            stack.push_async_callback(service.drain)
            self.service = service
            try:
                yield service
            finally:
                await stack.aclose()
                self.service = None

    @asynccontextmanager
    async def _serve(self, asgi: Starlette) -> AsyncIterator[None]:
        """Starlette's lifespan: the process that a server runs."""
        settings = self.load_settings()
        settings.check_platform()
        writer = None
        if not structlog.is_configured():
            writer = logs.configure(settings.logging.format, settings.logging.level)
        redaction.register_secrets(settings.secrets())
        journal, clock, offered = self._journal(settings)
        async with (
            OpsServer(settings.server, shared=self.journal_socket is not None) as port,
            self.started(settings, clock=clock, journal=journal, set_up_tracing=True) as service,
            offered,
            service.watchdog,
        ):
            if self.metrics_socket is not None:
                await service.share_metrics(self.metrics_socket)
            routes = self._calls(service)
            if settings.server.ops_port:
                port.app = _routing(self._pages(service, None))
            else:
                routes += self._pages(service, service.access)
            asgi.router.routes[:] = routes
            service.on_lost = partial(signal.raise_signal, signal.SIGTERM)  # to whichever server
            if service.lost:
                service.on_lost()
            log.info(
                "started",
                blocks=list(self.blocks),
                platform=settings.platform.url,
                journal=settings.journal.url,
                durability=service.journal.durability,
            )
            yield
        log.info("stopped")
        if writer is not None:
            writer.flush()

    def _journal(
        self, settings: Settings
    ) -> tuple[Journal, Clock, AbstractAsyncContextManager[None]]:
        """Return the journal, its clock, and a context in which operators can use it."""
        clock = Clock()
        if self.journal_socket is not None:
            return JournalClient(self.journal_socket), clock, nullcontext()
        journal = make_journal(settings.journal, clock)
        return journal, clock, offered_to_operators(journal)

    def face(self, service: Service) -> ASGIApp:
        """The HTTP face of the app at work, for whoever has started it."""
        return _routing([*self._calls(service), *self._pages(service, service.access)])

    def _calls(self, service: Service) -> list[Route]:
        """The paths that the platform calls."""
        paths = ["/blocks/{name}", "/blocks/{name}/{key}", *["/"][: len(self.blocks) == 1]]
        return [Route(path, service.receiver, methods=["POST"]) for path in paths]

    def _pages(self, service: Service, access: AccessControl | None) -> list[Route]:
        """The paths for people and monitoring. The paths of health need no secret."""
        ack = service.settings.server.ack_status
        described = cache(lambda: openapi(self.blocks, version("vertexkit"), ack))
        pages: dict[str, ASGIApp] = {
            "/blocks": JsonEndpoint(lambda: (200, catalogue(self.blocks)), access),
            "/openapi.json": JsonEndpoint(lambda: (200, described()), access),
            **ops_endpoints(service, access),
        }
        return [Route(path, page, methods=["GET"]) for path, page in pages.items()]


def _routing(
    routes: list[Route],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
) -> Starlette:
    asgi = Starlette(routes=routes, lifespan=lifespan, exception_handlers=EXCEPTION_HANDLERS)
    # A redirect would repeat the URL's secret, and a platform need not follow it.
    asgi.router.redirect_slashes = False
    return asgi
