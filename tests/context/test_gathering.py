"""Calls side by side: order of results, failures, cancellation, crashes."""

import asyncio
from typing import Any

import pytest

from vertexkit import App, Context, WaitTimeout
from vertexkit.testing import FakeDialog


async def test_results_come_in_the_order_of_the_arguments(app: App, dialog: FakeDialog) -> None:
    """Steps and messages run side by side, and a crash after each effect repeats none."""
    done: list[int] = []

    async def work_for(seconds: int) -> int:
        await asyncio.sleep(seconds)
        done.append(seconds)
        return seconds

    @app.block("work")
    async def work(ctx: Context) -> Any:
        slow, message, fast = await ctx.gather(
            ctx.step("slow", work_for, 20),
            ctx.send_message("Working"),
            ctx.step("fast", work_for, 1),
        )
        assert message.message_id is not None
        assert await ctx.gather() == ()
        return [slow, fast]

    run = await dialog.run("work")
    assert (run.messages, run.data, done) == (["Working"], {"result": [20, 1]}, [1, 20])
    done.clear()
    run = await dialog.run("work", crash_everywhere=True)
    assert (run.messages, run.data, sorted(done)) == (["Working"], {"result": [20, 1]}, [1, 20])


async def test_the_first_failure_cancels_the_others(app: App, dialog: FakeDialog) -> None:
    """The first error itself is raised, after the other calls have been cancelled and have ended."""
    ended: list[str] = []

    async def fail(seconds: int) -> None:
        await asyncio.sleep(seconds)
        raise ConnectionError(f"after {seconds}")

    async def clean_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(2)
            ended.append("cleaned up")

    @app.block("work")
    async def work(ctx: Context) -> Any:
        with pytest.raises(ConnectionError, match="after 1"):
            await ctx.gather(
                ctx.step("late", fail, 25), ctx.step("work", clean_up), ctx.step("early", fail, 1)
            )
        return [*ended]

    assert (await dialog.run("work")).data == {"result": ["cleaned up"]}


async def test_a_message_in_flight_is_sent(app: App, dialog: FakeDialog) -> None:
    """A failure beside a message that is being sent does not make its outcome unknown."""
    dialog.platform.fail("send_message", kind="slow", seconds=3)

    async def fail() -> None:
        await asyncio.sleep(1)
        raise ConnectionError

    @app.block("work")
    async def work(ctx: Context) -> None:
        with pytest.raises(ConnectionError):
            await ctx.gather(ctx.send_message("Hello"), ctx.step("fail", fail))
        await ctx.send_message("Sorry")

    run = await dialog.run("work")
    assert (run.messages, run.ok) == (["Hello", "Sorry"], True)
    assert "send_outcome_unknown" not in run.events


async def test_waits_beside_each_other_suspend_the_run() -> None:
    """If every call waits durably, the run holds nothing; the results come in their order."""
    app, runs = App(), list[int]()

    @app.block("wait")
    async def wait(ctx: Context) -> Any:
        runs.append(1)

        async def answer() -> str:
            try:
                return str(await ctx.wait_for("answer", timeout=30))
            except WaitTimeout:
                return "none"

        first, _ = await ctx.gather(answer(), ctx.sleep(3600))
        return first

    run = await FakeDialog(app).run("wait")
    assert (run.data, len(runs)) == ({"result": "none"}, 3)


async def test_cancelling_it_cancels_its_calls(app: App, dialog: FakeDialog) -> None:
    """A timeout around the calls ends all of them before the handler continues."""
    ended: list[int] = []

    async def work_long(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(number)
            ended.append(number)

    @app.block("work")
    async def work(ctx: Context) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await ctx.gather(*(ctx.step(f"work {n}", work_long, n) for n in range(3)))
        return [*ended]

    assert (await dialog.run("work")).data == {"result": [0, 1, 2]}


async def test_what_cannot_be_awaited_is_an_error(app: App, dialog: FakeDialog) -> None:
    """A call that was awaited already is named by its place; the other coroutines are closed."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        done: Any = await ctx.step("one", lambda: 1)
        with pytest.raises(TypeError, match="argument 2 is int"):
            await ctx.gather(ctx.send_message("Hello"), done)

    run = await dialog.run("work")
    assert (run.ok, run.messages) == (True, [])
