"""A journal that breaks in the middle of an execution: it stays for the next process."""

import asyncio
from contextlib import AbstractContextManager
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from vertexkit import App, Context, Retry
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, Execution, Outcome, Phase, Result
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease
from vertexkit.service import running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token


class Breaking(MemoryJournal):
    """A journal that fails from its first write of one kind on.

    Attributes:
        breaks_at: name of the method.
    """

    def __init__(self, breaks_at: str) -> None:
        super().__init__(Clock(), JournalSettings(lease=3600.0))
        self.breaks_at = breaks_at
        self._broken = False

    def _write(self, name: str) -> None:
        self._broken = self._broken or name == self.breaks_at
        if self._broken:
            raise JournalUnavailable("the journal cannot be written: disk I/O error")

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        self._write("record_intent")
        await super().record_intent(lease, effect)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        self._write("record_effect")
        await super().record_effect(lease, effect)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        self._write("record_result")
        await super().record_result(lease, result, completing=completing)

    async def begin_completion(self, lease: Lease) -> bool:
        self._write("begin_completion")
        return await super().begin_completion(lease)

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        self._write("release")
        await super().release(lease, after, reason)

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        self._write("settle")
        await super().settle(lease, outcome)


def app_of(*, fails: bool = False, **options: Any) -> App:
    """An app whose block sends a message, runs a step, and returns or asks for another run."""
    app = App()

    @app.block("work", **options)
    async def work(ctx: Context) -> str:
        await ctx.send_message("started")
        rate = await ctx.step("rate", lambda: 17)
        if fails:
            raise Retry(after=1)
        return f"{rate}"

    return app


async def events_until_it_ends(
    app: App, journal: MemoryJournal, platform: FakePlatform
) -> list[str]:
    """Run one execution until the worker is done with it; return the names of its events."""
    events: list[str] = []
    over = asyncio.Event()

    def note(event: Event) -> None:
        events.append(event.name)
        if event.name in {"journal_unavailable", "settled"}:
            over.set()

    settings = Settings.of(platform_url="http://p/api", grace=0)
    async with running_service(app, settings, wire=AsgiWire(platform), journal=journal) as service:
        service.events.subscribe(note)
        token = Token(platform.issue("work"))
        await journal.accept(Execution("01e", "work", token, {}, b"", 0.0), 10)
        async with asyncio.timeout(60):
            await over.wait()
    return events


@pytest.fixture
def logged() -> "AbstractContextManager[list[EventDict]]":
    """What is logged."""
    return structlog.testing.capture_logs()


@pytest.mark.parametrize(
    "breaks_at, completions",
    [("record_intent", 0), ("record_effect", 0), ("record_result", 0), ("settle", 1)],
)
async def test_an_execution_whose_journal_breaks_is_left_to_the_next_process(
    logged: "AbstractContextManager[list[EventDict]]", breaks_at: str, completions: int
) -> None:
    """It ends neither as crashed nor as parked: one event says that the journal is unavailable.

    Nothing is sent to the platform that the journal does not have.
    """
    journal, platform = Breaking(breaks_at), FakePlatform()
    with logged as lines:
        events = await events_until_it_ends(app_of(), journal, platform)
    assert "journal_unavailable" in events
    assert not {"parked", "settled", "released"} & set(events)
    assert "execution_crashed" not in [line["event"] for line in lines]
    [activation] = platform.dialogs[0].activations
    assert len(activation.completions) == completions
    assert len(activation.messages) == (0 if breaks_at == "record_intent" else 1)
    record = await journal.find("01e")
    assert record is not None
    assert record.phase is (Phase.COMPLETING if breaks_at == "settle" else Phase.RUNNING)
    assert record.outcome is None


async def test_a_run_that_cannot_be_scheduled_is_left_to_the_next_process(
    logged: "AbstractContextManager[list[EventDict]]",
) -> None:
    """The journal breaks when the handler has asked for another run."""
    journal, platform = Breaking("release"), FakePlatform()
    with logged as lines:
        events = await events_until_it_ends(app_of(fails=True), journal, platform)
    assert "journal_unavailable" in events
    assert not {"parked", "settled"} & set(events)
    assert "execution_crashed" not in [line["event"] for line in lines]


async def test_a_second_try_that_cannot_be_recorded_is_not_sent() -> None:
    """The journal breaks between two tries of a completion: the next process sends the next."""
    journal, platform = Breaking("begin_completion"), FakePlatform()
    platform.fail("complete", status=500, times=1)
    events = await events_until_it_ends(app_of(), journal, platform)
    assert "journal_unavailable" in events
    assert [entry.method for entry in platform.ledger].count("complete") == 1
    assert "settled" not in events
