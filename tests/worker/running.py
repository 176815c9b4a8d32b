"""A running service over a journal and a platform of the test's, without HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager

import structlog
from starlette.types import ASGIApp

from tests.waiting import until
from vertexkit import App
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Execution
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Journal, Lease, Renewal
from vertexkit.service import Service, running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token


class StoppedClock(Clock):
    """A clock whose time a test sets; leases go by it."""

    time = 0.0

    def now(self) -> float:
        return self.time


class WatchedJournal(MemoryJournal):
    """A journal whose claims and renewals can be observed, and made to fail.

    Args:
        clock: Measures the leases.
        lease: Seconds of a lease.

    Attributes:
        claimed: Set after each claim.
        renewals: Their number.
        renewal: What each renewal returns.
        failures: The number of claims and renewals that fail from now on.
    """

    def __init__(self, clock: Clock | None = None, lease: float = 30.0) -> None:
        super().__init__(clock or Clock(), JournalSettings(lease=lease))
        self.claimed = asyncio.Event()
        self.renewals = 0
        self.renewal = Renewal()
        self.failures = 0
        self._renewed = asyncio.Condition()

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        self._fail()
        claimed = await super().claim(worker, room, limit, early=early, limits=limits)
        self.claimed.set()
        return claimed

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        async with self._renewed:
            self.renewals += 1
            self._renewed.notify_all()
        self._fail()
        await super().renew(worker, executions)
        return self.renewal

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise JournalUnavailable("the disk is full")

    async def after(self, renewals: int) -> None:
        """Wait for this number of renewals from now on."""
        async with self._renewed:
            wanted = self.renewals + renewals
            await self._renewed.wait_for(lambda: self.renewals >= wanted)


@asynccontextmanager
async def serving(
    app: App, journal: MemoryJournal, platform: ASGIApp, **options: object
) -> AsyncIterator[Service]:
    """Run the app over this journal."""
    settings = Settings.of(**{"platform_url": "http://p/api", "lease": 3600, **options})
    async with running_service(app, settings, wire=AsgiWire(platform), journal=journal) as service:
        yield service


async def accept(
    journal: Journal, platform: FakePlatform, block: str, execution: str = "01e"
) -> str:
    """Accept an execution as the inbox does; return its token."""
    token = platform.issue(block)
    await journal.accept(Execution(execution, block, Token(token), {}, b"", 0.0), 10)
    return token


def ended(service: Service, number: int = 1, *, by: Iterable[str] = ("settled",)) -> asyncio.Event:
    """Return an event that is set when this number of executions has ended in this process."""
    over, executions, events = asyncio.Event(), set[str](), frozenset(by)

    def record(event: Event) -> None:
        if event.name in events:
            executions.add(event.execution)
            if len(executions) == number:
                over.set()

    service.events.subscribe(record)
    return over


def at_log_line(event: str, act: Callable[[], object]) -> asyncio.Task[None]:
    """Act as soon as an event is logged. Await the task: it fails if the event is never logged."""

    capturing = ExitStack()
    lines = capturing.enter_context(structlog.testing.capture_logs())

    async def watch() -> None:
        with capturing:
            await until(
                lambda: event in [line["event"] for line in lines], f"{event} has been logged"
            )
        act()

    return asyncio.create_task(watch())
