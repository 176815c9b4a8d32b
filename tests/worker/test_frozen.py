"""A process that was frozen for longer than its lease, just before a request."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from vertexkit import App, Context
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, Execution, Result
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease, Renewal
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

LEASE = 3600.0
"""Seconds: no renewal happens by itself while a test runs."""


class FreezingClock(Clock):
    """A clock that a test moves: the time in which the process was frozen."""

    def __init__(self) -> None:
        self.frozen = 0.0

    def uptime(self) -> float:
        return super().uptime() + self.frozen


class FreezingJournal(MemoryJournal):
    """A journal in which the process is frozen after a write, before the request that follows."""

    def __init__(self, clock: FreezingClock, after: str, renewal: str) -> None:
        super().__init__(clock)
        self.clock = clock
        self.renewals = 0
        self._after = after
        self._renewal = renewal

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        await super().record_intent(lease, effect)
        self._freeze("message")

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        await super().record_result(lease, result, completing=completing)
        self._freeze("completion")

    def _freeze(self, place: str) -> None:
        if self._after == place:
            self.clock.frozen = LEASE

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        self.renewals += 1
        if self._renewal == "fails":
            raise JournalUnavailable("the journal cannot be written")
        if self._renewal == "lost":
            return Renewal(lost=frozenset(executions))
        return await super().renew(worker, executions)


@asynccontextmanager
async def scene(journal: FreezingJournal, platform: FakePlatform) -> AsyncIterator[asyncio.Event]:
    """A running service; the event is set when the execution is over in this process."""
    app: App[Any] = App()

    @app.block("block")
    async def block(ctx: Context) -> int:
        await ctx.send_message("now")
        return 1

    settings = Settings.of(platform_url="http://p/api", lease=LEASE, cleanup=0.05, grace=0.0)
    wire = AsgiWire(platform)
    # To print the traceback of an error would take most of the test's time.
    with structlog.testing.capture_logs():
        async with running_service(
            app, settings, wire=wire, journal=journal, clock=journal.clock
        ) as service:
            yield ended(service)


def ended(service: Service) -> asyncio.Event:
    over = asyncio.Event()
    ends = {"settled", "fenced", "journal_unavailable"}
    service.events.subscribe(lambda event: over.set() if event.name in ends else None)
    return over


@pytest.mark.parametrize("renewal", ["held", "lost", "fails"])
@pytest.mark.parametrize("after", ["message", "completion", "nothing"])
async def test_a_lease_that_may_have_expired_is_renewed_before_the_first_byte(
    after: str, renewal: str
) -> None:
    """If another worker has the execution, or the journal does not answer, nothing is sent."""
    platform = FakePlatform()
    journal = FreezingJournal(FreezingClock(), after, renewal)
    token = platform.issue("block")
    async with scene(journal, platform) as over:
        await journal.accept(Execution("01e", "block", Token(token), {}, b"", 0.0), 10)
        await over.wait()
    sent = [entry.method for entry in platform.ledger]
    if after == "nothing" or renewal == "held":
        assert sent == ["send_message", "complete"]
    else:
        assert sent == ([] if after == "message" else ["send_message"])
    assert bool(journal.renewals) is (after != "nothing")
