"""A handler cannot outlive its time."""

import asyncio
import threading
from contextlib import suppress

import pytest

from tests.context.threads import run_past_deadline
from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context, SyncContext
from vertexkit.errors import ExecutionEnded
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog


@pytest.mark.parametrize("own, policy", [(30, 300), (None, 30)])
async def test_a_handler_that_hangs_is_ended(own: float | None, policy: float) -> None:
    """After the block's timeout, or the setting's, the block is completed as failed `timeout`."""
    app = App()

    @app.block("hang", timeout=own)
    async def hang(ctx: Context) -> None:
        await ctx.send_message("thinking")
        await dialog.clock.sleep(3600)

    dialog = FakeDialog(app, timeout=policy)
    run = await dialog.run("hang")
    assert run.messages == ["thinking"]
    assert run.data["error"]["code"] == "timeout"
    assert 30 <= run.timeline[-1].at - run.timeline[0].at < 60
    dialog.platform.check()


async def test_a_handler_may_clean_up() -> None:
    """It is cancelled, with time for its `finally`; it can send nothing more."""
    app = App()
    cleaned: list[str] = []

    @app.block("hang", timeout=10)
    async def hang(ctx: Context) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            with pytest.raises(ExecutionEnded):
                await ctx.send_message("goodbye")
            cleaned.append("yes")

    run = await FakeDialog(app).run("hang")
    assert cleaned == ["yes"]
    assert run.messages == []


@pytest.mark.parametrize("end", ["timeout", "shutdown"])
async def test_a_handler_has_time_to_clean_up(end: str) -> None:
    """The block is completed after a clean-up that waits, as closing a connection does."""
    app = App()
    begun = asyncio.Event()
    completed: list[int] = []

    @app.block("hang", timeout=1 if end == "timeout" else 600)
    async def hang(ctx: Context) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.to_thread(threading.get_ident)
            completed.append(sum(entry.method == "complete" for entry in dialog.platform.ledger))

    dialog = FakeDialog(app, grace=0, cleanup=30)
    async with dialog:
        abandoned: list[Event] = []
        dialog.subscribe(lambda e: abandoned.append(e) if e.name == "abandoned" else None)
        if end == "timeout":
            assert (await dialog.run("hang")).data["error"]["code"] == "timeout"
        else:
            await dialog.post("/blocks/hang", {"token": dialog.platform.issue("hang")})
            await begun.wait()
    assert completed == [0]
    assert abandoned == []
    [entry] = dialog.platform.ledger
    assert entry.json["data"]["error"]["code"] == end


async def test_a_handler_that_swallows_its_cancellation_is_abandoned() -> None:
    """The dialog does not wait for it: after the clean-up time the block is completed."""
    app = App()
    still = asyncio.Event()

    @app.block("stubborn", timeout=10)
    async def stubborn(ctx: Context) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        while not still.is_set():
            try:
                await still.wait()
            except asyncio.CancelledError:
                continue

    run = await FakeDialog(app, cleanup=0.05).run("stubborn")
    assert run.data["error"]["code"] == "timeout"
    assert "abandoned" in run.events
    still.set()
    await asyncio.sleep(0)


async def test_a_thread_that_hangs_is_abandoned() -> None:
    """A thread cannot be stopped: the block is completed, and the thread's context is closed."""
    app = App()
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    @app.block("thread", timeout=10)
    def thread(ctx: SyncContext) -> None:
        started.set()
        go_on.wait(PATIENCE_SECONDS)
        try:
            ctx.send_message("late")
        except ExecutionEnded:
            ended.set()

    dialog = FakeDialog(app)
    async with dialog:
        run = await run_past_deadline(dialog, "thread", started)
        assert run.data["error"]["code"] == "timeout"
        go_on.set()
        assert await asyncio.to_thread(ended.wait, PATIENCE_SECONDS)
    assert run.messages == []
    dialog.platform.check()


async def test_waiting_is_not_running() -> None:
    """The timeout counts from the start of the handler, not from the call."""
    app = App()

    @app.block("turns", timeout=300, concurrency=1)
    async def turns(ctx: Context, text: str) -> float:
        at_first = ctx.remaining
        await ctx.send_message(text)
        return at_first

    dialog = FakeDialog(app, send_timeout=250)
    dialog.platform.fail("send_message", kind="slow", seconds=200)
    async with dialog:
        first, second = await asyncio.gather(
            dialog.run("turns", text="one"), dialog.run("turns", text="two")
        )
    assert first.data["result"] > 150
    assert second.data["result"] > 150  # it has waited for 200 seconds
