"""An app: blocks, wired to the platform, as an ASGI application."""

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, Unpack

import anyio
import structlog
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit import logs
from vertexkit.attempt import House, Middleware, OnFailure
from vertexkit.backstage import Backstage
from vertexkit.blocks import Blocks, BlockTerms
from vertexkit.botone.vertex import Address, Vertex
from vertexkit.botone.wire import AiohttpWire, Wire
from vertexkit.call import ReadCall, read_call
from vertexkit.catalogue import Page, catalogue, openapi
from vertexkit.clock import Clock
from vertexkit.errors import DefinitionError
from vertexkit.events import Events
from vertexkit.inbox import Inbox
from vertexkit.journal import open_journal
from vertexkit.journal.base import Journal, Rules
from vertexkit.journal.file import file_of
from vertexkit.journal.owner import letting_in
from vertexkit.journal.remote import RemoteJournal
from vertexkit.problems import HANDLERS
from vertexkit.receiver import Gate, Receiver
from vertexkit.refusals import Refusals
from vertexkit.runner import Runner
from vertexkit.settings import Settings
from vertexkit.signature import Handler

H = TypeVar("H", bound=Handler)
Lifespan = Callable[["App"], AbstractAsyncContextManager[Any]]

log = structlog.get_logger("vertexkit")


def rules(settings: Settings) -> Rules:
    """What a journal is told of the settings."""
    return Rules(
        settings.lease, settings.tokens == "unique", settings.retention, settings.parked_retention
    )


class Service:
    """An app at work: everything that lives from the start of a process to its end."""

    def __init__(
        self, app: "App", settings: Settings, clock: Clock, wire: Wire, journal: Journal, state: Any
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.lost = ""
        """Why the journal cannot be used any more."""
        self.on_lost: Callable[[], object] = lambda: None
        """Called when that happens, by a server that then ends."""
        self.events = Events(clock)
        address = Address(settings.platform_url, settings.instances)
        vertex = Vertex(wire, address, clock, settings.send_timeout, settings.connections)
        backstage = Backstage(journal, vertex, self.events, clock, state)
        self.runner = Runner(
            app.blocks,
            backstage,
            House(
                timeout=settings.timeout,
                attempts=settings.attempts,
                cleanup=settings.cleanup,
                result_limit=settings.result_limit,
                threads=anyio.CapacityLimiter(settings.threads),
                middleware=app.middleware,
                on_failure=app.on_failure,
            ),
            concurrency=settings.concurrency,
            patience=settings.complete_patience,
            lease=settings.lease,
        )
        self.refusals = Refusals(vertex, clock, self.events)
        inbox = Inbox(journal, self.events, settings.queue)
        inbox.on_superseded(self.runner.supersede)
        self.gate = Gate([secret.get_secret_value() for secret in settings.url_secrets])
        self.receiver = Receiver(
            app.blocks, inbox, self.refusals, address, self.gate, app.read_call, settings
        )

    def turn_away(self) -> None:
        """Readiness off: take no more calls. What was accepted goes on."""
        self.receiver.closed = True

    def hurry(self) -> None:
        """Cut the grace period short: handlers are ended now, and their blocks completed."""
        self.runner.hurry()

    def break_off(self, reason: str) -> None:
        """The journal is lost to this process: nothing that it does can be kept any more."""
        log.critical("journal_lost", reason=reason)
        self.lost = reason
        self.turn_away()
        self.hurry()
        self.on_lost()

    async def drain(self) -> None:
        """End well, within the grace period and a few seconds."""
        self.turn_away()
        log.info("stopping", executions=self.runner.active)
        await self.runner.drain(self.settings.grace)
        await self.refusals.drain(self.settings.cleanup)

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """`GET /readyz`: may calls be sent here? With the reasons if not."""
        reasons = []
        if self.receiver.closed:
            reasons.append("journal lost" if self.lost else "stopping")
        elif self.journal.trouble():
            reasons.append("journal cannot be written")
        if self.journal.backlog() >= self.settings.queue:
            reasons.append("queue full")
        return (503, {"ready": False, "reasons": reasons}) if reasons else (200, {"ready": True})


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
        self.owner: Path | None = None
        """The socket of the process that has the journal, if it is not this one's own."""
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
        **terms: Unpack[BlockTerms],
    ) -> Callable[[H], H]:
        """Make a handler a block; as `Blocks.block`, and it raises the same."""
        return self.blocks.block(name, title=title, description=description, **terms)

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
            self._asgi = Starlette(lifespan=self._serve, exception_handlers=HANDLERS)
            # A redirect would repeat the URL's secret, and a platform need not follow it.
            self._asgi.router.redirect_slashes = False
        await self._asgi(scope, receive, send)

    @asynccontextmanager
    async def started(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        wire: Wire | None = None,
        journal: Journal | None = None,
    ) -> AsyncIterator[Service]:
        """The app at work, from the author's lifespan to the drain.

        Args:
            settings: of the process.
            clock: instead of real time, for tests.
            wire: instead of sockets, for tests.
            journal: instead of the one that the settings name.

        Raises:
            DefinitionError: the app has no block.
            SettingsError: a setting does not fit.
        """
        if not self.blocks:
            raise DefinitionError(
                'the app has no block: decorate a handler with @app.block("name")'
            )
        clock = clock or Clock()
        journal = journal or open_journal(settings.journal, clock, rules(settings))
        async with AsyncExitStack() as stack:
            wire = wire or AiohttpWire()
            stack.push_async_callback(wire.close)
            state: Any = None
            if self.lifespan is not None:
                state = await stack.enter_async_context(self.lifespan(self))
            service = Service(self, settings, clock, wire, journal, state)
            await service.runner.start(service.break_off)
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
            writer = logs.configure(settings.log_format, settings.log_level)
        logs.keep_secret(secret.get_secret_value() for secret in settings.url_secrets)
        journal = None if self.owner is None else RemoteJournal(self.owner)
        file = None if self.owner is not None else file_of(settings.journal)
        async with (
            self.started(settings, journal=journal) as service,
            letting_in(service.journal, file),
        ):
            asgi.router.routes[:] = self.routes(service)
            service.on_lost = partial(signal.raise_signal, signal.SIGTERM)  # to whichever server
            if service.lost:
                service.on_lost()
            log.info(
                "serving",
                blocks=list(self.blocks),
                platform=settings.platform_url,
                journal=settings.journal,
                promise=service.journal.promise,
            )
            yield
        log.info("stopped")
        if writer is not None:
            writer.flush()

    def face(self, service: Service) -> ASGIApp:
        """The HTTP face of the app at work, for whoever has started it."""
        asgi = Starlette(routes=self.routes(service), exception_handlers=HANDLERS)
        asgi.router.redirect_slashes = False
        return asgi

    def routes(self, service: Service) -> list[Route]:
        """The paths of the app."""
        receiver, gate, ack = service.receiver, service.gate, service.settings.ack_status
        pages = {
            "/blocks": Page(lambda: (200, catalogue(self.blocks)), gate),
            "/openapi.json": Page(
                lambda: (200, openapi(self.blocks, version("vertexkit"), ack)), gate
            ),
            "/healthz": Page(lambda: (200, {"alive": True})),
            "/readyz": Page(service.readiness),
        }
        routes = [
            Route("/blocks/{name}", receiver, methods=["POST"]),
            Route("/blocks/{name}/{key}", receiver, methods=["POST"]),
            *(Route(path, page, methods=["GET"]) for path, page in pages.items()),
        ]
        if len(self.blocks) == 1:
            routes.append(Route("/", receiver, methods=["POST"]))
        return routes
