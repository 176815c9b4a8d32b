"""The order in which waits return when a handler runs again."""

import asyncio
from typing import Any

import pytest

from vertexkit import App, Context, WaitTimeout
from vertexkit.testing import FakeDialog


async def remind(ctx: Context, pause: float = 0) -> None:
    """Send a message, and one more in each hour; something may hold it up before each."""
    for number in range(4):
        await asyncio.sleep(pause)
        await ctx.send_message(f"Reminder {number}")
        await ctx.sleep(3600)


@pytest.mark.parametrize("pause", [0, 0.2], ids=["at once", "after a pause"])
@pytest.mark.parametrize("way", ["task", "group", "wait"])
async def test_a_branch_repeats_what_it_did_before_another_one_cancels_it(
    app: App, dialog: FakeDialog, way: str, pause: float
) -> None:
    """The message after a wait that cancels a branch is sent; it does not count as one of the branch's."""

    @app.block("pay")
    async def pay(ctx: Context) -> str:
        match way:
            case "task":
                reminding = asyncio.create_task(remind(ctx, pause))
                await ctx.wait_for("payment")
            case "group":
                async with asyncio.TaskGroup() as group:
                    reminding = group.create_task(remind(ctx, pause))
                    await ctx.wait_for("payment")
                    reminding.cancel()
            case _:
                paid = asyncio.create_task(ctx.wait_for("payment"))
                reminding = asyncio.create_task(remind(ctx, pause))
                await asyncio.wait({paid, reminding}, return_when=asyncio.FIRST_COMPLETED)
        reminding.cancel()
        await ctx.send_message("Thank you!")
        await ctx.sleep(3600)
        await ctx.send_message("Rate us")
        return "paid"

    run = await dialog.start("pay")
    await run.skip(hours=1)
    await run.send_event("payment")
    assert run.messages == ["Reminder 0", "Reminder 1", "Thank you!"]
    await run.skip(hours=1)
    ended = await run.finish()
    assert ended.messages == ["Reminder 0", "Reminder 1", "Thank you!", "Rate us"]
    assert "effect_changed" not in ended.events


async def test_the_first_of_two_waits_remains_the_first(app: App, dialog: FakeDialog) -> None:
    """A wait that another one has cancelled is not over in a later run, after its time has come."""

    @app.block("pay")
    async def pay(ctx: Context) -> Any:
        paid = asyncio.create_task(ctx.wait_for("payment"), name="paid")
        expired = asyncio.create_task(ctx.sleep(3600), name="expired")
        done, others = await asyncio.wait({paid, expired}, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await ctx.sleep(7200)
        return sorted(task.get_name() for task in done)

    run = await dialog.start("pay")
    await run.skip(minutes=30)
    await run.send_event("payment")
    await run.skip(hours=2)
    assert (await run.finish()).data == {"result": ["paid"]}


async def test_waits_that_ended_while_no_process_ran_return_in_order(
    app: App, dialog: FakeDialog
) -> None:
    """The waits of three branches end in the order of their times, whatever the order of the branches."""

    @app.block("order")
    async def order(ctx: Context) -> None:
        async def say(hours: int) -> None:
            await ctx.sleep(3600 * hours)
            await ctx.send_message(f"{hours} h")

        await asyncio.gather(say(3), say(1), say(2), ctx.wait_for("go"))

    run = await dialog.start("order")
    await run.skip(hours=4)
    await run.send_event("go")
    assert (await run.finish()).messages == ["1 h", "2 h", "3 h"]


async def test_a_crash_changes_no_order(app: App, dialog: FakeDialog) -> None:
    """After a crash at any effect, the handler does the same."""

    @app.block("pay")
    async def pay(ctx: Context) -> str:
        reminding = asyncio.create_task(remind(ctx))
        try:
            await ctx.wait_for("payment", timeout=1.5 * 3600)
        except WaitTimeout:
            reminding.cancel()
        await ctx.send_message("It has expired.")
        return "expired"

    run = await dialog.run("pay", crash_everywhere=True)
    assert run.messages == ["Reminder 0", "Reminder 1", "It has expired."]
