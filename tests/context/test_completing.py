"""ctx.complete and the end of a handler: one completion, whatever happens."""

import asyncio
from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.errors import AlreadyCompleted, DialogGone
from vertexkit.testing import FakeDialog


async def test_a_block_can_be_completed_before_its_handler_returns() -> None:
    """The dialog goes on at once; what the handler returns later is not used."""
    app = App()
    seen: list[list[str]] = []

    @app.block("early")
    async def early(ctx: Context) -> dict[str, bool]:
        await ctx.complete({"early": True})
        seen.append([e.method for e in dialog.platform.ledger])
        return {"early": False}

    dialog = FakeDialog(app)
    run = await dialog.run("early")
    assert seen == [["complete"]]
    assert run.data == {"early": True}
    assert run.ok
    dialog.platform.check()


async def test_completing_twice_is_told() -> None:
    """The second `ctx.complete` raises, and the platform is asked once."""
    app = App()

    @app.block("twice")
    async def twice(ctx: Context) -> None:
        await ctx.complete({"n": 1})
        with pytest.raises(AlreadyCompleted):
            await ctx.complete({"n": 2})

    dialog = FakeDialog(app)
    run = await dialog.run("twice")
    assert run.data == {"n": 1}
    dialog.platform.check()


async def test_completing_twice_at_once_is_told() -> None:
    """Of two that race one wins, and the other one hears of it."""
    app = App()

    @app.block("race")
    async def race(ctx: Context) -> None:
        ends = await asyncio.gather(ctx.complete(1), ctx.complete(2), return_exceptions=True)
        assert ends[0] is None
        assert isinstance(ends[1], AlreadyCompleted)

    dialog = FakeDialog(app)
    assert (await dialog.run("race")).data == {"result": 1}
    dialog.platform.check()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), "x" * (300 * 1024), {"a": {1, object()}}]
)
async def test_what_cannot_be_sent_is_told_and_the_block_stays_open(value: Any) -> None:
    """NaN, an object, too much: a TypeError that says why; the handler may complete otherwise."""
    app = App()

    @app.block("odd")
    async def odd(ctx: Context) -> None:
        with pytest.raises(TypeError, match="cannot be completed with this"):
            await ctx.complete(value)
        await ctx.complete({"fine": True})

    dialog = FakeDialog(app)
    run = await dialog.run("odd")
    assert run.data == {"fine": True}
    dialog.platform.check()


async def test_a_handler_that_fails_after_completing_has_still_completed() -> None:
    """The outcome is the one that the platform confirmed."""
    app = App()

    @app.block("late")
    async def late(ctx: Context) -> None:
        await ctx.complete({"done": True})
        raise ValueError("too late to matter")

    dialog = FakeDialog(app)
    run = await dialog.run("late")
    assert run.data == {"done": True}
    assert run.ok
    dialog.platform.check()


async def test_an_early_completion_is_tried_until_it_is_through() -> None:
    """`await ctx.complete()` returns when the platform has confirmed it."""
    app = App()

    @app.block("early")
    async def early(ctx: Context) -> None:
        await ctx.complete(None)

    dialog = FakeDialog(app)
    dialog.platform.fail("complete", status=500, times=3)
    run = await dialog.run("early")
    assert run.retries == 3
    assert run.data is None
    assert run.ok
    dialog.platform.check()


async def test_completing_a_dialog_that_is_gone_does_not_raise() -> None:
    """There is nobody left to tell: the execution ends as gone."""
    app = App()

    @app.block("gone")
    async def gone(ctx: Context) -> None:
        with pytest.raises(DialogGone):
            await ctx.send_message("anybody there?")

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="gone")
    run = await dialog.run("gone")
    assert run.outcome is not None
    assert run.outcome.ending == "gone"
    assert run.data is None


async def test_an_early_result_fits_the_annotation_too() -> None:
    """The return annotation is the result's type, however the block ends; None says nothing."""
    app = App()

    @app.block("typed")
    async def typed(ctx: Context) -> dict[str, int]:
        with pytest.raises(TypeError, match="does not fit the return annotation"):
            await ctx.complete({"n": "many"})
        await ctx.complete({"n": "7"})
        return {}

    @app.block("free")
    async def free(ctx: Context) -> None:
        await ctx.complete({"n": "many"})

    dialog = FakeDialog(app)
    assert (await dialog.run("typed")).data == {"n": 7}
    assert (await dialog.run("free")).data == {"n": "many"}
