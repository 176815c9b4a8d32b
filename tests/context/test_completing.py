"""Completing: a handler ends its block by itself, once."""

import asyncio
import math
from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.errors import AlreadyCompleted, ExecutionEnded
from vertexkit.execution import OutcomeStatus
from vertexkit.failure import Failure
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

HUGE = "я" * 5 * 1024 * 1024
"""10 MB of JSON."""
UNFIT = {
    "nan": math.nan,
    "nested infinity": {"deep": [math.inf]},
    "an object": object(),
    "an object inside": {"deep": [object()]},
    "a key that is not a string": {("a", "b"): object()},
    "10 MB": HUGE,
}
each_unfit = pytest.mark.parametrize("data", UNFIT.values(), ids=UNFIT)


@pytest.mark.parametrize(
    "data,sent", [({"a": [1, None]}, {"a": [1, None]}), (None, None), (5, {"result": 5})]
)
async def test_what_a_handler_completes_with(
    app: App, dialog: FakeDialog, data: Any, sent: Any
) -> None:
    """The data of an early completion reach the bot, as a returned value would."""

    @app.block("end")
    async def end(ctx: Context) -> None:
        await ctx.complete(data)

    run = await dialog.run("end")
    assert (run.data, run.ok) == (sent, True)


async def test_complete_returns_when_the_platform_has_confirmed(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """After `complete` the dialog has continued, even if that took several tries."""
    fake_platform.fail("complete", status=503, times=2)
    seen: list[int] = []

    @app.block("end")
    async def end(ctx: Context) -> None:
        await ctx.complete()
        seen.append(len(fake_platform.dialogs[0].completions))

    assert (await dialog.run("end")).retries == 2
    assert seen == [1]


async def test_completing_twice(app: App, dialog: FakeDialog, fake_platform: FakePlatform) -> None:
    """The second completion raises AlreadyCompleted, and the bot gets the first one only."""

    @app.block("end")
    async def end(ctx: Context) -> dict[str, int]:
        await ctx.complete({"number": 1})
        with pytest.raises(AlreadyCompleted):
            await ctx.complete({"number": 2})
        return {"number": 3}

    run = await dialog.run("end")
    assert (run.data, run.ok) == ({"number": 1}, True)
    assert [entry.method for entry in fake_platform.ledger] == ["complete"]


async def test_completing_twice_at_once(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """Of several completions in the same moment, the first one counts."""

    @app.block("end")
    async def end(ctx: Context) -> None:
        ends = [ctx.complete({"number": number}) for number in range(5)]
        gathered = await asyncio.gather(*ends, return_exceptions=True)
        assert gathered[0] is None
        assert all(isinstance(error, AlreadyCompleted) for error in gathered[1:])

    run = await dialog.run("end")
    assert (run.data, run.ok) == ({"number": 0}, True)
    assert len(fake_platform.ledger) == 1


async def test_messages_sent_before_the_completion_arrive_before_it(
    app: App, clock: VirtualClock
) -> None:
    """A completion waits for the messages that the handler sent before it."""
    platform = FakePlatform(clock=clock, typing_seconds=2.0)

    @app.block("end")
    async def end(ctx: Context) -> None:
        sending = asyncio.gather(ctx.send_message("Раз"), ctx.send_message("Два"))
        await asyncio.sleep(0)
        await ctx.complete()
        await sending

    run = await FakeDialog(app, platform).run("end")
    assert (run.messages, run.ok) == (["Раз", "Два"], True)
    platform.check()


@pytest.mark.unmeasured
@each_unfit
async def test_data_that_cannot_be_sent(app: App, dialog: FakeDialog, data: Any) -> None:
    """Data that cannot be serialised, or are too large, are rejected at once; the handler may go on."""

    @app.block("end")
    async def end(ctx: Context) -> None:
        with pytest.raises(TypeError, match="cannot be completed with this"):
            await ctx.complete(data)
        await ctx.send_message("Ещё здесь")
        await ctx.complete({"fine": True})

    run = await dialog.run("end")
    assert (run.messages, run.data, run.ok) == (["Ещё здесь"], {"fine": True}, True)


@pytest.mark.unmeasured
@each_unfit
async def test_a_returned_value_that_cannot_be_sent(
    app: App, dialog: FakeDialog, data: Any
) -> None:
    """A handler that returns what cannot be serialised, or is too large, fails with `bad_result`."""

    @app.block("end")
    async def end(ctx: Context) -> Any:
        return data

    assert (await dialog.run("end")).data["error"]["code"] == "bad_result"


async def test_the_handler_may_go_on(app: App, dialog: FakeDialog) -> None:
    """After completing, a handler may continue with other work."""
    worked = False

    @app.block("end")
    async def end(ctx: Context) -> None:
        nonlocal worked
        await ctx.complete()
        await asyncio.sleep(0)
        worked = True

    async with dialog:
        await dialog.run("end")
    assert worked


async def test_a_failure_after_completing_changes_nothing(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A handler that fails after completing has succeeded, as far as the bot can see."""
    asked: list[Failure] = []

    async def on_failure(_: Context, failure: Failure) -> None:
        asked.append(failure)

    app.on_failure = on_failure

    @app.block("end")
    async def end(ctx: Context) -> None:
        await ctx.complete({"done": True})
        raise RuntimeError("too late")

    run = await dialog.run("end")
    assert (run.data, run.ok, asked) == ({"done": True}, True, [])
    assert len(fake_platform.ledger) == 1


async def test_a_handler_that_hangs_after_completing_is_ended(
    app: App, dialog: FakeDialog, clock: VirtualClock
) -> None:
    """Completing does not free a handler from its deadline."""
    ended: list[bool] = []

    @app.block("end", timeout=10)
    async def end(ctx: Context) -> None:
        await ctx.complete({"done": True})
        try:
            await clock.sleep(1000)
        finally:
            ended.append(ctx.remaining == 0)

    run = await dialog.run("end")
    assert (ended, run.data, run.ok) == ([True], {"done": True}, True)


async def test_a_completion_outlives_its_caller(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A handler that is cancelled while it completes has completed all the same."""
    fake_platform.fail("complete", kind="slow", seconds=5)
    arrived = asyncio.Event()
    fake_platform.subscribe(lambda _: arrived.set(), arrivals=True)

    @app.block("end")
    async def end(ctx: Context) -> None:
        ending = asyncio.create_task(ctx.complete({"done": True}))
        await arrived.wait()
        ending.cancel()
        await asyncio.wait({ending})
        with pytest.raises(AlreadyCompleted):
            await ctx.complete()

    run = await dialog.run("end")
    assert (run.data, run.ok) == ({"done": True}, True)
    assert len(fake_platform.ledger) == 1


async def test_completing_after_the_deadline(
    app: App, dialog: FakeDialog, clock: VirtualClock, fake_platform: FakePlatform
) -> None:
    """A handler whose deadline has passed cannot complete any more: the bot gets the timeout."""

    @app.block("end", timeout=5)
    async def end(ctx: Context) -> None:
        try:
            await clock.sleep(60)
        except asyncio.CancelledError:
            with pytest.raises(ExecutionEnded) as info:
                await ctx.complete({"late": True})
            assert not isinstance(info.value, AlreadyCompleted)

    run = await dialog.run("end")
    assert run.data["error"]["code"] == "timeout"
    assert len(fake_platform.ledger) == 1


async def test_an_early_result_fits_the_annotation_too(app: App, dialog: FakeDialog) -> None:
    """The return annotation is the result's type, however the block ends; None allows any data."""

    @app.block("typed")
    async def typed(ctx: Context) -> dict[str, int]:
        with pytest.raises(TypeError, match="does not match the return annotation"):
            await ctx.complete({"n": "many"})
        await ctx.complete({"n": "7"})
        return {}

    @app.block("free")
    async def free(ctx: Context) -> None:
        await ctx.complete({"n": "many"})

    assert (await dialog.run("typed")).data == {"n": 7}
    assert (await dialog.run("free")).data == {"n": "many"}


async def test_completing_a_dialog_that_is_gone(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """There is no dialog left: `complete` raises nothing, and the execution ends as gone."""
    fake_platform.fail("complete", kind="gone")
    went_on = False

    @app.block("end", timeout=300)
    async def end(ctx: Context) -> None:
        nonlocal went_on
        await ctx.complete({"done": True})
        went_on = True

    run = await dialog.run("end")
    assert run.outcome is not None
    assert (run.outcome.status, run.data, went_on) == (OutcomeStatus.GONE, None, True)
