"""The reasons that the journal keeps about an execution: they outlive its token, so none is in them."""

import asyncio

import pytest

from vertexkit import App, Context, Retry
from vertexkit.execution import Execution, OutcomeStatus
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Record
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.telemetry.redaction import MASK
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

OPAQUE = "an-opaque-token-0123"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0.c2lnbmF0dXJl"


async def record_of(app: App, token: str) -> Record:
    """Run one execution to its outcome; return what the journal has about it."""
    clock, over = VirtualClock(), asyncio.Event()
    journal, wire = MemoryJournal(clock), AsgiWire(FakePlatform(clock=clock), clock)
    settings = Settings.of(platform_url="http://p/api", grace=5)
    async with running_service(app, settings, clock=clock, wire=wire, journal=journal) as service:
        service.events.subscribe(lambda event: over.set() if event.name == "settled" else None)
        await journal.accept(Execution("01e", "work", Token(token), {}, b"", 0.0), 10)
        await over.wait()
    record = await journal.find("01e")
    assert record is not None
    return record


@pytest.mark.parametrize("token", [OPAQUE, JWT])
async def test_the_reason_of_an_outcome_has_no_token(token: str) -> None:
    """A step that is named after the token makes a run that cannot be matched: it is parked."""
    app = App()

    @app.block("work", attempts=2, on_park="leave")
    async def work(ctx: Context) -> None:
        await ctx.step(f"rate for {token}, run {ctx.attempt}", lambda: 1)
        raise Retry(after=0)

    record = await record_of(app, token)
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (
        OutcomeStatus.PARKED,
        "nondeterministic",
    )
    assert f"rate for {MASK}, run 1" in record.outcome.reason
    assert token not in record.outcome.reason


@pytest.mark.parametrize("token", [OPAQUE, JWT])
async def test_the_reason_of_a_retry_has_no_token(token: str) -> None:
    """Nor has the history of an execution that asked for another run."""
    app = App()

    @app.block("work", attempts=2, on_park="leave")
    async def work(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise Retry(after=0, reason=f"no rate for {token}")
        await ctx.step("another", lambda: 1)

    record = await record_of(app, token)
    assert [event.detail for event in record.history if event.name == "retried"] == [
        f"no rate for {MASK}"
    ]
