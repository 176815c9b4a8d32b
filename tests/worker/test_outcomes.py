"""Every accepted execution reaches exactly one outcome."""

import asyncio
import gc
import random
from collections import Counter
from typing import Any

import pytest
import structlog

from vertexkit import App, BlockFailed, Context, Failure, Retry, SyncContext
from vertexkit.errors import VertexkitError
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

CALLS = 75
"""For each seed."""


def moody(seed: int) -> App:
    """A block whose handler does one thing or another, by the seed."""
    app, dice = App(), random.Random(seed)

    @app.block("moody", concurrency=20, timeout=900, attempts=3)
    async def block(ctx: Context, mood: int) -> dict[str, int]:
        for number in range(mood % 4):
            await ctx.send_message(f"{number}")
        match mood % 6:
            case 0:
                raise ValueError("a fault of the author's")
            case 1:
                raise BlockFailed("declared", "Declared.")
            case 2 if dice.random() < 0.5:
                raise Retry(after=dice.random() * 60)
            case 3:
                await ctx.complete({"mood": mood})
                await asyncio.sleep(0)
        return {"mood": mood}

    return app


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_goes_wrong_there_is_one_outcome(seed: int) -> None:
    """Random faults of the platform and of the handler: each accepted call is settled once.

    Its dialog is completed at most once, its messages are in order, and none of them comes twice.
    """
    clock = VirtualClock()
    platform = FakePlatform(seed=seed, clock=clock)
    platform.chaos(0.25, ("cut", "lost", "half", "garbage", 500, 503, 429, 400, 403))
    dialog = FakeDialog(moody(seed), platform)
    async with dialog:
        settled: Counter[str] = Counter()
        dialog.subscribe(
            lambda event: settled.update([event.execution]) if event.name == "settled" else None
        )
        runs = await asyncio.gather(*(dialog.run("moody", mood=mood) for mood in range(CALLS)))
    assert all(run.status == 200 and run.outcome is not None for run in runs)
    assert set(settled.values()) == {1}
    assert len(settled) == CALLS
    for run in runs:
        assert list(run.messages) == sorted(set(run.messages))
    platform.check(allow_unused=True)
    for activation in (activation for fake in platform.dialogs for activation in fake.activations):
        assert len(activation.completions) <= 1


@pytest.mark.unmeasured
async def test_nothing_is_collected_while_it_runs() -> None:
    """asyncio keeps only weak references to tasks: the dispatcher keeps strong ones."""
    app = App()
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.block("block")
    async def block(ctx: Context) -> None:
        begun.set()
        await go_on.wait()

    dialog = FakeDialog(app)
    running = asyncio.create_task(dialog.run("block"))
    await begun.wait()
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)
    go_on.set()
    assert (await running).ok


def ways() -> App:
    """A block for each way in which a run may end."""

    async def hook(ctx: Context, failure: Failure) -> None:
        await ctx.send_message("sorry")

    app = App(on_failure=hook)

    @app.block("plain")
    def plain(ctx: SyncContext) -> None:
        ctx.send_message("hello")

    @app.block("hangs", timeout=10)
    async def hangs(ctx: Context) -> None:
        await asyncio.sleep(3600)

    @app.block("any")
    async def block(ctx: Context, way: str) -> None:
        await ctx.send_message("hello")
        await ctx.step("two", int)
        match way:
            case "raises":
                raise ValueError("why")
            case "fails":
                raise BlockFailed("declared")
            case "again" if ctx.attempt < 3:
                raise Retry(after=1)
            case "early":
                await ctx.complete(None)

    return app


@pytest.mark.unmeasured
@pytest.mark.parametrize("way", ["returns", "raises", "fails", "again", "early", "plain", "hangs"])
async def test_an_execution_leaves_no_reference_cycle(way: str) -> None:
    """All objects of an execution are freed with it: the garbage collector finds nothing."""
    block: str = way if way in {"plain", "hangs"} else "any"
    inputs: dict[str, Any] = {"way": way} if block == "any" else {}
    async with FakeDialog(ways()) as dialog:
        await dialog.run(block, **inputs)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await dialog.run(block, **inputs)
            gc.collect()
            names = {type(found).__module__ for found in gc.garbage}
            left = {name for name in names if name.startswith("vertexkit.")}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert {name for name in left if not name.startswith("vertexkit.testing")} == set()


async def test_an_execution_that_goes_well_is_two_lines() -> None:
    """`accepted` and `settled` at INFO, and nothing between them if it goes well."""
    app = App()

    @app.block("block")
    async def block(ctx: Context) -> None:
        await ctx.send_message("one")
        await ctx.step("two", int)

    with structlog.testing.capture_logs() as lines:
        await FakeDialog(app).run("block")
    lines_at_info = [line["event"] for line in lines if line["log_level"] == "info"]
    assert lines_at_info == ["accepted", "settled", "drain_started"]


async def test_a_bug_of_vertexkit_parks_the_execution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug is logged, the block is completed as failed, and the execution is parked."""
    app = App()

    @app.block("block")
    async def block(ctx: Context) -> None: ...

    async def bug(*_: Any) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr("vertexkit.worker.attempt.Attempt.run", bug)
    with structlog.testing.capture_logs() as lines:
        run = await FakeDialog(app).run("block")
    assert run.outcome is not None
    assert run.outcome.status == "parked"
    assert run.data["error"]["code"] == "internal"
    assert "parked" in run.events
    assert "execution_crashed" in [line["event"] for line in lines]


@pytest.mark.unmeasured
async def test_the_reason_of_an_outcome_has_every_error() -> None:
    """If the failure does not reach the dialog either, the outcome has both reasons."""
    app = App()

    @app.block("block", on_unknown="park")
    async def block(ctx: Context) -> None:
        await ctx.send_message("hello")

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="lost")
    dialog.platform.fail("complete", status=500, times=10**6)
    run = await dialog.run("block")
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == ("parked", "unknown")
    assert run.outcome.reason.count("; ") == 1
    assert run.outcome.reason.index("send_message") < run.outcome.reason.index(
        "could not be completed"
    )


def test_retry_and_block_failed_are_errors_of_vertexkit() -> None:
    """What ends a run from outside is distinct from an author's exceptions."""
    assert issubclass(Retry, VertexkitError)
    assert issubclass(BlockFailed, VertexkitError)


async def test_the_way_of_an_execution_is_reported() -> None:
    """Each step on the way to the outcome has an event; the completion says what confirmed it."""
    app = App()

    @app.block("block")
    async def block(ctx: Context) -> int:
        return 1

    dialog = FakeDialog(app)
    dialog.platform.fail("complete", kind="lost")
    run = await dialog.run("block")
    events = {event.name: event.fields for event in run.timeline}
    assert list(events) == [
        *("accepted", "claimed", "result_recorded", "completion_retried", "completed", "settled")
    ]
    assert events["completed"] == {"confirmed_by": "403"}


async def test_the_next_call_ends_a_completion_that_waits() -> None:
    """The same call, while a completion pauses before its next try, confirms it without that try."""
    app = App()

    @app.block("loan")
    async def loan(ctx: Context) -> None:
        pass

    platform = FakePlatform()
    platform.fail("complete", status=429, retry_after=60)
    async with FakeDialog(app, platform) as dialog:
        paused = asyncio.Event()
        dialog.subscribe(lambda event: paused.set() if event.name == "completion_retried" else None)
        token = platform.issue("loan")
        first = asyncio.create_task(dialog.call("loan", {}, token))
        await paused.wait()
        began = dialog.clock.now()
        await dialog.call("loan", {}, token)
        ended = await first
        assert dialog.clock.now() - began < 30
    assert ended.outcome is not None
    assert (ended.outcome.status, ended.outcome.confirmed_by) == ("completed", "call")
