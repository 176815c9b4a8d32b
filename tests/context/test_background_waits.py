"""Waits in tasks beside the handler's other work, and how recordings get them."""

import asyncio

import pytest

from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context
from vertexkit.clock import Clock
from vertexkit.context.branches import Branches
from vertexkit.context.effects import PARENT_SECONDS
from vertexkit.context.wait_order import CHECK_SECONDS
from vertexkit.errors import ExecutionEnded
from vertexkit.recordings.contents import WAITS
from vertexkit.testing import FakeDialog


async def test_work_after_the_start_of_a_wait_is_not_interrupted() -> None:
    """A handler that has started a wait in a task, and works on for a moment, runs once."""
    app, runs = App(), list[int]()

    @app.block("work")
    async def work(ctx: Context) -> None:
        runs.append(ctx.attempt)
        cancelled = asyncio.create_task(ctx.wait_for("cancel", timeout=3600))
        await asyncio.sleep(PARENT_SECONDS / 2)
        cancelled.cancel()

    assert (await FakeDialog(app).run("work")).ok
    assert runs == [1]


async def test_a_wait_ends_when_its_block_is_completed() -> None:
    """The wait of a task raises at once when another task completes the block, not at its next look."""
    app, seconds = App(), list[float]()

    @app.block("work")
    async def work(ctx: Context) -> None:
        async def wait() -> None:
            with pytest.raises(ExecutionEnded):
                await ctx.wait_for("never", timeout=3600)
            seconds.append(dialog.clock.now() - completed_at)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(CHECK_SECONDS / 4)
        completed_at = dialog.clock.now()
        await ctx.complete()
        await waiting

    dialog = FakeDialog(app)
    assert (await dialog.run("work")).ok
    assert [passed < CHECK_SECONDS / 2 for passed in seconds] == [True]


async def test_a_recorded_wait_names_its_event() -> None:
    """Recordings and timelines get the name of the event that is waited for; a sleep has none."""
    app, seen = App(), list[tuple[str, str]]()

    @app.block("work")
    async def work(ctx: Context) -> None:
        await ctx.sleep(3600)
        await ctx.wait_for("payment")

    async with FakeDialog(app) as dialog:
        dialog.subscribe(
            lambda event: (
                seen.append((event.name, event.fields["event"])) if event.name in WAITS else None
            ),
            contents=True,
        )
        run = await dialog.start("work")
        await run.skip(hours=1)
        await run.send_event("payment", {"amount": 1})
        await run.finish()
    assert list(dict.fromkeys(seen)) == [
        ("waiting", ""),
        ("waited", ""),
        ("waiting", "payment"),
        ("waited", "payment"),
    ]


async def test_the_end_of_a_step_is_a_change() -> None:
    """A branch that waits looks at the others again when one of them has finished a step."""
    branches = Branches()
    waiting = asyncio.create_task(branches.wait_for_change(3600, Clock().timer))
    await asyncio.sleep(0)
    with branches.work():
        await asyncio.sleep(0)
        assert not waiting.done()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await waiting
