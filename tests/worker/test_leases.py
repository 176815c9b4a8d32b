"""Leases: a living worker keeps its executions, one that lost its lease stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from tests.worker.running import WatchedJournal, accept, ended, serving
from vertexkit import App, Context
from vertexkit.errors import DialogGone, VertexkitError
from vertexkit.journal.protocol import Renewal
from vertexkit.service import Service
from vertexkit.testing import FakePlatform

SHORT = 0.03
"""Seconds of a lease: renewed every ten milliseconds."""


LONG = 3600.0
"""Seconds of the leases in the journal: none expires there."""


@asynccontextmanager
async def renewing(
    app: App, journal: WatchedJournal, platform: FakePlatform
) -> AsyncIterator[tuple[Service, asyncio.Event]]:
    """Run the app; the event is set when it has no execution left."""
    async with serving(app, journal, platform, lease=SHORT, cleanup=0.05, grace=5) as service:
        yield service, ended(service, by=("settled", "fenced"))


async def test_a_lease_is_renewed_while_the_handler_runs() -> None:
    """Several times per lease, so that a failed renewal has no effect."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)

    @app.block("work")
    async def work(ctx: Context) -> int:
        await journal.after(5)
        return ctx.attempt

    async with renewing(app, journal, platform) as (_, over):
        token = await accept(journal, platform, "work")
        await over.wait()
    assert platform.activation(token).completions[0].data == {"result": 1}


async def test_a_worker_that_lost_its_lease_stops() -> None:
    """Another worker has taken over: the handler is cancelled, and nothing more is sent."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)
    ended: list[type[BaseException]] = []

    @app.block("work")
    async def work(ctx: Context) -> None:
        journal.renewal = Renewal(lost=frozenset({"01e"}))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await ctx.send_message("still here")
            except VertexkitError as error:
                ended.append(type(error))
            raise

    async with renewing(app, journal, platform) as (_, over):
        token = await accept(journal, platform, "work")
        await over.wait()
    assert platform.ledger == []
    assert not platform.activation(token).completions
    assert ended
    assert DialogGone not in ended


async def test_a_journal_that_fails_for_a_moment_ends_nothing() -> None:
    """Neither a failed renewal nor a failed claim stops the dispatcher: it is logged."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)

    @app.block("work")
    async def work(ctx: Context) -> None:
        journal.failures = 2
        await journal.after(4)

    with structlog.testing.capture_logs() as lines:
        journal.failures = 1
        async with renewing(app, journal, platform) as (_, over):
            token = await accept(journal, platform, "work")
            await over.wait()
    assert platform.activation(token).completions
    warnings = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert "claim_failed" in warnings
    assert "renew_failed" in warnings


async def test_a_call_seen_by_another_worker_ends_the_pause() -> None:
    """The platform has made the same call again elsewhere: the old one's pause ends at once."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)

    @app.block("work")
    async def work(ctx: Context) -> None: ...

    platform.fail("complete", status=403)  # the next try is twenty seconds later
    async with renewing(app, journal, platform) as (service, over):
        service.events.subscribe(
            lambda event: (
                setattr(journal, "renewal", Renewal(superseded=frozenset({"01e"})))
                if event.name == "completion_retried"
                else None
            )
        )
        token = await accept(journal, platform, "work")
        async with asyncio.timeout(60):
            await over.wait()
    assert platform.activation(token).completions


async def test_what_is_left_at_the_end_waits_for_the_next_process() -> None:
    """With a durable journal a stopped handler does not fail: it runs again elsewhere."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)
    journal.durable = True
    begun = asyncio.Event()
    attempts: list[int] = []

    @app.block("work")
    async def work(ctx: Context) -> None:
        attempts.append(ctx.attempt)
        await ctx.send_message("hello")
        begun.set()
        if ctx.attempt == 1:
            await asyncio.Event().wait()

    async with serving(app, journal, platform, grace=0, cleanup=0.05):
        token = await accept(journal, platform, "work")
        await begun.wait()
    assert not platform.activation(token).completions
    record = await journal.find("01e")
    assert record is not None
    assert (record.phase, record.attempts) == ("waiting", 1)
    async with renewing(app, journal, platform) as (_, over):
        await over.wait()
    assert attempts == [1, 2]
    assert [message.text for message in platform.activation(token).messages] == ["hello"]
    assert platform.activation(token).completions
    platform.check()


async def test_a_completion_that_is_left_is_tried_by_the_next_process() -> None:
    """The result was recorded: the handler does not run again, the same bytes are sent."""
    app, platform = App(), FakePlatform()
    journal = WatchedJournal(lease=LONG)
    journal.durable = True
    ran: list[int] = []

    @app.block("work")
    async def work(ctx: Context) -> dict[str, int]:
        ran.append(ctx.attempt)
        return {"ran": len(ran)}

    platform.fail("complete", status=500, times=1)
    async with serving(app, journal, platform, grace=0, cleanup=0.05) as service:
        tried = asyncio.Event()
        platform.chaos(1.0, (500,))
        service.events.subscribe(
            lambda event: tried.set() if event.name == "completion_retried" else None
        )
        token = await accept(journal, platform, "work")
        await tried.wait()
    platform.chaos(0.0)
    async with renewing(app, journal, platform) as (_, over):
        await over.wait()
    assert ran == [1]
    assert platform.activation(token).completions[0].data == {"ran": 1}
    bodies = {entry.body for entry in platform.ledger}
    assert len(bodies) == 1
    platform.check()
