"""What a handler may know of its execution."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from vertexkit import App, Context, Retry
from vertexkit.testing import FakeDialog


async def test_a_context_knows_its_call() -> None:
    """Inputs as they came, the raw body, the token's claims, unverified, and the execution's id."""
    app = App()
    known: dict[str, Any] = {}

    @app.block("facts")
    async def facts(ctx: Context, number: int) -> None:
        known.update(inputs=ctx.inputs, raw=ctx.raw, claims=ctx.claims, id=ctx.execution_id)
        known["shown"] = repr(ctx)

    dialog = FakeDialog(app)
    token = dialog.platform.issue("facts", instance="demo", dialog_id=314)
    run = await dialog.call("facts", {"number": "7", "more": [1]}, token)
    assert known["inputs"] == {"number": "7", "more": [1]}
    assert token.encode() in known["raw"]
    assert (known["claims"].instance, known["claims"].dialog_id) == ("demo", 314)
    assert known["id"] == run.execution
    assert known["shown"] == f"<Context facts {run.execution}>"


async def test_a_token_that_is_no_jwt_has_no_claims() -> None:
    """Opaque tokens work as well: there is just nothing to know of them."""
    app = App()
    claims: list[Any] = ["unset"]

    @app.block("facts")
    async def facts(ctx: Context) -> None:
        claims[0] = ctx.claims

    dialog = FakeDialog(app)
    dialog.platform.issue("facts")
    platform = type(dialog.platform)(clock=dialog.clock, tokens="any")
    dialog = FakeDialog(app, platform)
    async with dialog:
        await dialog.post("/blocks/facts", {"token": "opaque"})
    assert claims == [None]


async def test_a_context_knows_its_time() -> None:
    """The deadline is the block's timeout from the start of this run; remaining counts down."""
    app = App()
    seen: list[float] = []

    @app.block("clock", timeout=100)
    async def clock(ctx: Context) -> None:
        now = datetime.fromtimestamp(dialog.clock.unix(), UTC)
        assert timedelta(seconds=90) < ctx.deadline - now < timedelta(seconds=110)
        seen.append(ctx.remaining)
        await ctx.send_message("slow")
        seen.append(ctx.remaining)
        if ctx.attempt == 1:
            raise Retry(after=1000)

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="slow", seconds=10)
    run = await dialog.run("clock")
    assert run.attempts == 2
    assert 99 < seen[0] <= 100
    assert 89 < seen[1] <= 90
    assert 99 < seen[2] <= 100  # each run has the whole time


async def test_a_context_knows_the_lifespans_state_and_its_attempt() -> None:
    """What the lifespan yielded is `ctx.state`; `ctx.attempt` counts the runs from 1."""

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[dict[str, int]]:
        yield {"calls": 0}

    app = App(lifespan=lifespan)

    @app.block("count")
    async def count(ctx: Context) -> int:
        ctx.state["calls"] += 1
        if ctx.attempt < 3:
            raise Retry(after=1)
        calls: int = ctx.state["calls"]
        return calls

    assert (await FakeDialog(app).run("count")).data == {"result": 3}


async def test_a_contexts_log_is_an_ordinary_structlog_logger() -> None:
    """Lines of the author go where structlog's go, with what they were given."""
    app = App()

    @app.block("log")
    async def log(ctx: Context) -> None:
        ctx.log.info("looked", found=3)

    with structlog.testing.capture_logs() as lines:
        await FakeDialog(app).run("log")
    assert {"event": "looked", "found": 3, "log_level": "info"} in lines
