"""The properties of a context: what a handler may know of its execution."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Any

import structlog

from vertexkit import App, Context, Retry, SyncContext
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

MOMENT = timedelta(seconds=10)
"""More than it takes to read the clock twice, less than what is waited for."""


async def test_inputs_as_they_came(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """`inputs` is the call's own object, before validation, without the token."""
    seen: list[dict[str, Any]] = []

    @app.block("look")
    async def look(ctx: Context, amount: int) -> None:
        seen.append(ctx.inputs)

    inputs = {"amount": "7", "other": ["не для нас"]}
    await dialog.call("look", inputs, fake_platform.issue("look"))
    assert seen == [{"amount": "7", "other": ["не для нас"]}]


async def test_the_raw_call(app: App, dialog: FakeDialog, fake_platform: FakePlatform) -> None:
    """`raw` is the body of the platform's call, byte for byte."""
    seen: list[bytes] = []

    @app.block("look")
    async def look(ctx: Context) -> None:
        seen.append(ctx.raw)

    token = fake_platform.issue("look")
    await dialog.call("look", {"city": "Орёл"}, token)
    assert json.loads(seen[0]) == {"token": token, "city": "Орёл"}
    assert '"city":"Орёл"'.encode() in seen[0]


async def test_the_token_s_claims(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """`claims` has the instance, dialog, vertex and session of the token."""
    seen: list[Any] = []

    @app.block("look")
    async def look(ctx: Context) -> None:
        seen.append(ctx.claims)

    await dialog.call("look", {}, fake_platform.issue("look", dialog_id=371, instance="perm"))
    [claims] = seen
    assert (claims.instance, claims.dialog_id) == ("perm", 371)
    assert isinstance(claims.vertex_id, str)
    assert isinstance(claims.session_id, int)


async def test_a_plain_token_has_no_claims(app: App, clock: VirtualClock) -> None:
    """Of a token that is not a JWT `claims` is None, and everything else works."""
    platform = FakePlatform(clock=clock, tokens="any")
    seen: list[Any] = []

    @app.block("look")
    async def look(ctx: Context) -> None:
        seen.append(ctx.claims)
        await ctx.send_message("Привет")

    run = await FakeDialog(app, platform).call("look", {}, "just-a-word")
    assert (seen, run.messages) == ([None], ["Привет"])


async def test_the_execution_s_id(app: App, dialog: FakeDialog) -> None:
    """`execution_id` is the id in the response to the call, in every run."""
    seen: list[tuple[str, int]] = []

    @app.block("look")
    async def look(ctx: Context) -> None:
        seen.append((ctx.execution_id, ctx.attempt))
        if ctx.attempt < 3:
            raise Retry

    run = await dialog.run("look")
    assert seen == [(run.execution, 1), (run.execution, 2), (run.execution, 3)]


async def test_time_that_remains(app: App, dialog: FakeDialog, clock: VirtualClock) -> None:
    """`remaining` decreases to 0, and `deadline` is the time at which that happens, in UTC."""
    ends: list[float] = []

    @app.block("look", timeout=100)
    async def look(ctx: Context) -> None:
        deadline, before = ctx.deadline, ctx.remaining
        assert deadline.tzinfo is UTC
        assert abs(deadline.timestamp() - clock.unix() - 100) < MOMENT.total_seconds()
        assert before <= 100
        await clock.sleep(60)
        assert ctx.remaining <= before - 60
        assert abs(ctx.deadline - deadline) < MOMENT
        try:
            await clock.sleep(60)
        finally:
            ends.append(ctx.remaining)

    assert (await dialog.run("look")).data["error"]["code"] == "timeout"
    assert ends == [0]


async def test_each_run_has_its_own_time(app: App, dialog: FakeDialog, clock: VirtualClock) -> None:
    """A second run of the handler has the whole time again."""
    remaining: list[float] = []

    @app.block("look", timeout=100)
    async def look(ctx: Context) -> None:
        remaining.append(ctx.remaining)
        if ctx.attempt == 1:
            await clock.sleep(90)
            raise Retry(after=500)

    assert (await dialog.run("look")).ok
    assert [seconds > 50 for seconds in remaining] == [True, True]


async def test_the_app_s_state(clock: VirtualClock) -> None:
    """`state` is the very object that the app's lifespan yielded; without a lifespan, None."""
    shared = object()

    @asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[object]:
        yield shared

    seen: list[Any] = []
    for app in (App(lifespan=lifespan), App()):

        @app.block("look")
        async def look(ctx: Context) -> None:
            seen.append(ctx.state)

        await FakeDialog(app, FakePlatform(clock=clock)).run("look")
    assert seen == [shared, None]


async def test_the_log(app: App, dialog: FakeDialog, fake_platform: FakePlatform) -> None:
    """`log` takes an event and its fields."""
    token = fake_platform.issue("look")

    @app.block("look")
    async def look(ctx: Context) -> None:
        ctx.log.info("rate_fetched", percent=7.5)

    with structlog.testing.capture_logs() as lines:
        await dialog.call("look", {}, token)
    [line] = [line for line in lines if line["event"] == "rate_fetched"]
    assert (line["percent"], line["log_level"]) == (7.5, "info")
    assert token not in repr(lines)


async def test_its_repr_holds_no_secret(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """However a context is printed, it shows its block and execution, and no token or inputs."""
    shown: list[str] = []

    def show(ctx: Context | SyncContext) -> None:
        inner = ctx._context if isinstance(ctx, SyncContext) else ctx
        shown.extend([repr(ctx), str(ctx), f"{ctx}", repr(inner._lease), repr(inner._options)])

    @app.block("look")
    async def look(ctx: Context) -> None:
        show(ctx)

    @app.block("look_in_a_thread")
    def look_in_a_thread(ctx: SyncContext) -> None:
        show(ctx)

    for block, kind in (("look", "Context"), ("look_in_a_thread", "SyncContext")):
        token = fake_platform.issue(block)
        run = await dialog.call(block, {"city": "Орёл"}, token)
        assert run.ok
        assert shown[0] == f"<{kind} {block} {run.execution}>"
        assert not [text for text in shown if token in text or "Орёл" in text]
        shown.clear()
