"""An app on a real uvicorn, a fake platform on another one, and connections to both."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel, Field

from tests.http_connection import HttpConnection, HttpResponse
from tests.http_server import listening
from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context
from vertexkit.app import asgi_app
from vertexkit.server.limits import max_connections
from vertexkit.service import Service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakePlatform

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Loan(BaseModel):
    """The inputs of the block that validates them."""

    amount: int = Field(gt=0)
    months: int = 12


@dataclass
class Hold:
    """Where the handlers of the block `wait` wait until they are released."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    started: int = 0


class Edge:
    """A served app, with what its platform and its journal received."""

    def __init__(self, app: App, platform: FakePlatform, hold: Hold, port: int) -> None:
        service = asgi_app(app).service
        assert service is not None
        self.service: Service = service
        self.platform, self.hold, self.port = platform, hold, port
        self.happened: list[tuple[str, str]] = []  # events: their name and their execution
        self._news = asyncio.Event()
        service.events.subscribe(self._note)
        platform.subscribe(lambda _: self._news.set())

    def _note(self, event: Event) -> None:
        self.happened.append((event.name, event.execution))
        self._news.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true; it is checked again after each event."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def completed(self, token: str) -> Any:
        """Wait until the block of this token is completed; returns its data."""
        await self.until(lambda: self.platform.activation(token).completions)
        [completion] = self.platform.activation(token).completions
        return completion.data

    async def settled(self, execution: str) -> None:
        await self.until(lambda: ("settled", execution) in self.happened)

    def accepted(self) -> int:
        """How many executions were accepted so far."""
        return sum(name == "accepted" for name, _ in self.happened)

    def untouched(self, token: str) -> bool:
        """Whether the platform has received nothing with this token."""
        activation = self.platform.activation(token)
        return not activation.messages and not activation.completions

    @asynccontextmanager
    async def line(self) -> AsyncIterator[HttpConnection]:
        line = HttpConnection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            yield line
        finally:
            await line.hang_up()

    async def ask(
        self,
        path: str = "/blocks/echo",
        body: bytes = b"",
        kind: str | None = JSON,
        method: str = "POST",
        **headers: str,
    ) -> HttpResponse:
        """One request on a connection of its own."""
        async with self.line() as line:
            await line.send(head(path, kind, method, content_length=str(len(body)), **headers))
            await line.send(body)
            return await line.answer()

    async def call(self, block: str, token: str, **inputs: Any) -> HttpResponse:
        """Call a block as the platform does."""
        body = json.dumps({"token": token} | inputs, ensure_ascii=False).encode()
        return await self.ask(f"/blocks/{block}", body)


Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Edge]]


def head(path: str, kind: str | None = JSON, method: str = "POST", **headers: str) -> bytes:
    """The head of a request."""
    named = {"content_type": kind} if kind is not None else {}
    lines = [f"{method} {path} HTTP/1.1", "Host: block.test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in (named | headers).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def make_app(hold: Hold, **options: Any) -> App:
    """Three blocks: one returns its inputs, one validates some, one waits."""
    app = App(**options)

    @app.block("echo")
    async def echo(ctx: Context) -> dict[str, Any]:
        return {"inputs": ctx.inputs}

    @app.block("loan")
    async def loan(ctx: Context, request: Loan) -> Loan:
        return request

    @app.block("wait")
    async def wait(ctx: Context) -> dict[str, Any]:
        hold.started += 1
        await ctx.send_message("Ждите", typing=False)
        await hold.release.wait()
        return {"inputs": ctx.inputs}

    return app


class AppObserver:
    """Counts rejected connections in the metrics of an app."""

    def __init__(self, app: App) -> None:
        self._app = app

    def connection_rejected(self, code: str) -> None:
        service = asgi_app(self._app).service
        assert service is not None
        service.metrics.connection_rejected(code)


@asynccontextmanager
async def served(
    make: Callable[..., App] = make_app,
    *,
    platform: FakePlatform | None = None,
    options: dict[str, Any] | None = None,
    strict: bool = True,
    **settings: Any,
) -> AsyncIterator[Edge]:
    """An app and its platform, both behind sockets, from start to drain."""
    platform = platform or FakePlatform()
    hold = Hold()
    async with listening(platform) as platform_port:
        url = f"http://127.0.0.1:{platform_port}/api"
        values: dict[str, Any] = {
            "platform_url": url,
            "grace": 5.0,
            "journal": "memory:",
            "stall": 0.0,  # a machine that is frozen for a moment does not make it unready
        } | settings
        read = Settings.of(**values)
        app = make(hold, settings=read, **(options or {}))
        async with listening(app, read.server, AppObserver(app), max_connections(read)) as port:
            edge = Edge(app, platform, hold, port)
            yield edge
            hold.release.set()
    if strict:
        platform.check()
