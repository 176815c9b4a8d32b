"""Services that share one database, each as in a process of its own, and the platform."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import httpx

from tests.waiting import until
from vertexkit import App
from vertexkit.asgi import http_app
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import Query, Record
from vertexkit.service import Service, running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire

LEASE_SECONDS = 300.0
"""Longer than a test may take: an execution that has to wait for the end of a lease fails it."""
ALL = 10_000


class Fleet:
    """Any number of services; a context.

    Args:
        url: of their journal.
        **settings: of each service.
    """

    def __init__(self, url: str, **settings: Any) -> None:
        self.platform = FakePlatform()
        self.services: dict[str, Service] = {}
        """Those that run, by name."""
        self._url = url
        self._settings = settings
        self._stops: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stack = AsyncExitStack()

    @property
    def is_shared(self) -> bool:
        """More than one service can use the journal."""
        return self._url.startswith("postgresql:")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in list(self.services):
            await self.stop(name)

    async def start(self, name: str, app: App[Any], **settings: Any) -> Service:
        """Start a service, which is ready when this returns."""
        values = {"platform_url": "http://platform/api", "journal": self._url, "grace": 0.0}
        values |= {"lease": LEASE_SECONDS, **self._settings, **settings}
        self._stops[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._serve(name, app, Settings.of(**values)))
        await until(
            lambda: name in self.services or self._tasks[name].done(), f"{name} has started"
        )
        return self.services[name]

    async def _serve(self, name: str, app: App[Any], settings: Settings) -> None:
        wire = AsgiWire(self.platform)
        async with running_service(app, settings, wire=wire) as service:
            service.dispatcher.worker = name
            self.services[name] = service
            await self._stops[name].wait()
            service.stop_accepting()
        assert not service.failure

    async def stop(self, name: str) -> None:
        """Stop a service, as SIGTERM does, and wait for its end."""
        del self.services[name]
        self._stops[name].set()
        await self._tasks[name]

    async def call(self, name: str, block: str) -> str:
        """Call a block of a service; return the token."""
        token: str = self.platform.issue(block)
        assert (await self.post(name, block, token)).status_code == 200
        return token

    async def post(self, name: str, block: str, token: str) -> httpx.Response:
        """Make one call, and return its answer."""
        transport = httpx.ASGITransport(http_app(self.services[name]))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(f"/blocks/{block}", json={"token": token})

    async def records(self) -> list[Record]:
        """Return all executions."""
        async with open_admin(JournalSettings(url=self._url), Clock()) as journal:
            return await journal.search(Query(limit=ALL))

    async def ended(self, number: int) -> list[Record]:
        """Wait until this number of executions has ended; return all."""
        while True:  # a test that waits in vain is ended by its own limit
            records = await self.records()
            if sum(record.phase is Phase.SETTLED for record in records) >= number:
                return records
            await asyncio.sleep(0.02)
