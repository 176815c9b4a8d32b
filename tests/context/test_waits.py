"""Durable waiting: sleep, events, and what a later run of the handler finds."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, Context, SyncContext, WaitTimeout
from vertexkit.errors import OperationNotAllowed
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog

DAY = 86_400.0


class Payment(BaseModel):
    """An event."""

    amount: int


@pytest.mark.parametrize("seconds", [DAY, timedelta(days=1), 0.2, 0])
async def test_a_handler_sleeps(seconds: Any) -> None:
    """A handler waits for a day, or for a moment, and continues; nothing is sent twice.

    In a test no wait takes real time.
    """
    app, runs = App(), list[int]()

    @app.block("remind")
    async def remind(ctx: Context) -> dict[str, str]:
        runs.append(ctx.attempt)
        await ctx.send_message("See you")
        await ctx.sleep(seconds)
        await ctx.send_message("Here I am")
        return {"state": "done"}

    dialog = FakeDialog(app)
    run = await dialog.run("remind")
    assert (run.messages, run.data) == (["See you", "Here I am"], {"state": "done"})
    assert runs == ([1, 1] if seconds in (DAY, timedelta(days=1)) else [1])
    assert bool(dialog.clock.skipped) == bool(seconds)
    if seconds == DAY:
        assert run.messages[1].at >= DAY
    dialog.platform.check()


async def test_an_event_ends_a_wait() -> None:
    """A suspended handler gets the event that comes, validated, and continues."""
    app, urls = App(), list[str]()

    @app.block("pay")
    async def pay(ctx: Context) -> Payment:
        urls.append(ctx.event_url("payment"))
        await ctx.send_message("Pay please")
        payment = await ctx.wait_for("payment", Payment)
        await ctx.send_message(f"Thanks for {payment.amount}")
        return payment

    async with FakeDialog(app) as dialog:
        run = await dialog.start("pay")
        assert (run.waiting_for, run.messages) == (["payment"], ["Pay please"])
        assert urls == [f"http://127.0.0.1:8000{run.event_path('payment')}"]
        await run.send_event("payment", {"amount": "no number"}, expect=422)
        assert (await dialog.post(run.event_path("payment")[:-2] + "xx", {"amount": 7}))[0] == 404
        await run.send_event("payment", {"amount": 7})
        assert run.ended
        await run.send_event("payment", {"amount": 8}, expect=410)
        ended = await run.finish()
        assert (ended.messages, ended.data) == (
            ["Pay please", "Thanks for 7"],
            {"amount": 7},
        )
    dialog.platform.check()


async def test_a_wait_times_out() -> None:
    """Without an event, `wait_for` raises `WaitTimeout` at its time; a later event gets 410.

    If the handler does not catch it, its block fails as `timeout`.
    """
    app = App()

    @app.block("pay")
    async def pay(ctx: Context) -> None:
        try:
            await ctx.wait_for("payment", Payment, timeout=timedelta(hours=2))
        except WaitTimeout:
            await ctx.send_message("Too late")
            await ctx.wait_for("other", timeout=60)

    async with FakeDialog(app) as dialog:
        run = await dialog.start("pay")
        await run.skip(hours=1)
        assert (run.waiting_for, run.messages) == (["payment"], [])
        await run.skip(hours=1)
        assert (run.waiting_for, run.messages) == (["other"], ["Too late"])
        await run.send_event("payment", {"amount": 1}, expect=410)
        await run.send_event("payment", {"amount": "no number"}, expect=410)
        await run.skip(minutes=1)
        ended = await run.finish()
    assert ended.outcome is not None
    assert (ended.messages, ended.outcome.code) == (["Too late"], "timeout")
    assert (await FakeDialog(app).run("pay")).messages == ["Too late"]


def _put_sent(sent: asyncio.Queue[str], event: Event) -> None:
    if event.name == "sent":
        sent.put_nowait(event.execution)


async def test_an_event_that_comes_first_is_kept() -> None:
    """An event is stored for a wait that has not started; what is not valid is discarded there."""
    app, go_on = App(), asyncio.Event()

    @app.block("pay")
    async def pay(ctx: Context) -> Payment:
        await ctx.send_message("One moment")
        await go_on.wait()
        return await ctx.wait_for("payment", Payment)

    for first, waits in (({"amount": 5}, False), ({"amount": "?"}, True)):
        go_on.clear()
        async with FakeDialog(app, virtual_sleep=False) as dialog:
            sent: asyncio.Queue[str] = asyncio.Queue()
            dialog.subscribe(partial(_put_sent, sent))
            starting = asyncio.create_task(dialog.start("pay"))
            execution = await sent.get()
            assert await app.send_event(execution, "payment", first)
            assert not await app.send_event(execution, "payment", {"amount": 6})
            go_on.set()
            run = await starting
            assert run.waiting_for == (["payment"] if waits else [])
            if waits:
                await run.send_event("payment", {"amount": 5})
            assert (await run.finish()).data == {"amount": 5}


async def test_repetitions_are_answered_the_same() -> None:
    """The first event of a name counts, also while its handler still works on it.

    A repetition is answered as the first one was, whatever its body is.
    """
    app = App()

    @app.block("pay")
    async def pay(ctx: Context) -> dict[str, int]:
        payment = await ctx.wait_for("payment", Payment)
        await ctx.wait_for("receipt")
        return {"amount": payment.amount}

    async with FakeDialog(app) as dialog:
        run = await dialog.start("pay")
        await run.send_event("payment", {"amount": 1})
        await run.send_event("payment", {"amount": 2})
        await run.send_event("payment", {"amount": "no number"})
        assert not await app.send_event(run.execution, "payment", {"amount": "no number"})
        assert run.waiting_for == ["receipt"]
        await run.send_event("receipt")
        assert (await run.finish()).data == {"amount": 1}


@pytest.mark.parametrize("grouped", [False, True])
async def test_branches_wait_side_by_side(grouped: bool) -> None:
    """Branches that wait for different events and times each end by their own, in any order."""
    app = App()

    @app.block("both")
    async def both(ctx: Context) -> Any:
        async def pay() -> int:
            await ctx.send_message("pay")
            payment = await ctx.wait_for("payment", Payment)
            await ctx.send_message("paid")
            return payment.amount

        async def remind() -> None:
            await ctx.sleep(3600)
            await ctx.send_message("an hour")

        async def approve() -> Any:
            return await ctx.wait_for("approval")

        if not grouped:
            return await asyncio.gather(pay(), remind(), approve())
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for work in (pay, remind, approve)]
        return [task.result() for task in tasks]

    async with FakeDialog(app) as dialog:
        run = await dialog.start("both")
        assert run.waiting_for == ["approval", "payment"]
        await run.send_event("approval", {"by": "Ada"})
        assert run.waiting_for == ["payment"]
        await run.skip(hours=2)
        assert run.messages == ["pay", "an hour"]
        await run.send_event("payment", {"amount": 3})
        ended = await run.finish()
    assert ended.data == {"result": [3, None, {"by": "Ada"}]}
    assert ended.messages == ["pay", "an hour", "paid"]
    dialog.platform.check()


async def test_a_branch_that_works_keeps_the_run_alive() -> None:
    """A run is not suspended while a branch works; a wait then ends within the run."""
    app, runs = App(), list[int]()

    @app.block("work")
    async def work(ctx: Context) -> Any:
        runs.append(1)

        async def busy() -> str:
            await asyncio.sleep(90)
            return "worked"

        return await asyncio.gather(busy(), ctx.sleep(60), ctx.wait_for("go", timeout=30))

    @app.block("wait")
    async def wait(ctx: Context) -> None:
        await asyncio.sleep(0)
        await ctx.wait_for("go", timeout=30)

    run = await FakeDialog(app).run("work")
    assert run.outcome is not None
    assert (runs, run.outcome.code) == ([1], "timeout")


async def test_a_step_beside_a_wait_is_not_interrupted() -> None:
    """A step of the task that has started the wait keeps the run alive, as another branch does."""
    app, worked = App(), list[str]()

    @app.block("work")
    async def work(ctx: Context) -> dict[str, Any]:
        async def slowly() -> str:
            worked.append("started")
            await asyncio.sleep(10)
            return "done"

        cancelled = asyncio.create_task(ctx.wait_for("cancel", timeout=3600))
        await asyncio.sleep(0)
        state = await ctx.step("slow", slowly)
        cancelled.cancel()
        return {"state": state}

    run = await FakeDialog(app).run("work")
    assert (run.data, worked) == ({"state": "done"}, ["started"])


async def test_waits_are_bounded_by_max_wait() -> None:
    """An execution waits for at most `max_wait` since its call, whatever its waits ask for."""
    app = App()

    @app.block("long", max_wait=3600)
    async def long(ctx: Context) -> None:
        await ctx.sleep(600)
        await ctx.send_message("slept")
        await ctx.wait_for("never", timeout=7200)

    run = await FakeDialog(app).run("long")
    assert run.outcome is not None
    assert (run.messages, run.outcome.code) == (["slept"], "timeout")
    [settled] = [event for event in run.timeline if event.name == "settled"]
    assert settled.at - run.timeline[0].at < 3700


async def test_the_time_of_waits_is_not_the_handler_s() -> None:
    """`timeout` counts what the handler runs, over all of its runs; attempts do not grow."""
    app = App()
    remaining: list[float] = []

    @app.block("slow", timeout=10_000, attempts=1)
    async def slow(ctx: Context) -> None:
        for number in range(3):
            remaining.append(ctx.remaining)
            await ctx.step(f"work {number}", asyncio.sleep, 3000)
            await ctx.sleep(50_000)
        await asyncio.sleep(3000)

    run = await FakeDialog(app).run("slow")
    assert run.outcome is not None
    assert (run.outcome.code, run.attempts) == ("timeout", 4)
    assert [round(number / 1000) for number in remaining] == [10, 7, 7, 4, 4, 4, 1, 1, 1]


@pytest.mark.parametrize("name, error", [("", ValueError), ("a/b", ValueError), (1, TypeError)])
async def test_names_of_events_are_checked(name: Any, error: type[Exception]) -> None:
    """A name that cannot be part of a URL is an error of the author, and so is one used twice."""
    app, raised = App(), list[Exception]()

    @app.block("wait")
    async def wait(ctx: Context) -> None:
        with pytest.raises(error) as caught:
            ctx.event_url(name)
        raised.append(caught.value)
        with pytest.raises(error) as caught:
            await ctx.wait_for(name)
        raised.append(caught.value)
        await ctx.wait_for("once")
        with pytest.raises(ValueError, match="can be used once"):
            await ctx.wait_for("once")

    async with FakeDialog(app) as dialog:
        run = await dialog.start("wait")
        await run.send_event("once")
        assert (await run.finish()).ok
    assert len(raised) == 4  # of two runs


async def test_a_def_handler_waits_without_its_thread() -> None:
    """The thread of a `def` handler is free while it waits; its own `except Exception` is passed."""
    app, ended = App(), list[str]()

    @app.block("sync")
    def sync(ctx: SyncContext) -> dict[str, Any]:
        ctx.send_message("wait")
        try:
            event = ctx.wait_for("go")
            ctx.sleep(3600)
        except Exception:
            ended.append("swallowed")
            raise
        finally:
            ended.append("left")
        ctx.send_message(ctx.event_url("go")[-32:])
        return {"event": event}

    async with FakeDialog(app, threads=1) as dialog:
        runs = [await dialog.start("sync") for _ in range(3)]
        assert [run.waiting_for for run in runs] == [["go"]] * 3
        for number, run in enumerate(runs):
            await run.send_event("go", {"number": number})
        await runs[0].skip(hours=1)
        ended_runs = [await run.finish() for run in runs]
    assert [run.data for run in ended_runs] == [{"event": {"number": n}} for n in range(3)]
    assert [len(run.messages) for run in ended_runs] == [2, 2, 2]
    assert set(ended) == {"left"}
    dialog.platform.check()


async def test_a_crash_after_any_effect_changes_nothing() -> None:
    """With a crash after every effect, waits included, messages are sent once and events count."""
    app = App()

    @app.block("pay")
    async def pay(ctx: Context) -> dict[str, int]:
        await ctx.send_message("pay")
        await ctx.sleep(60)
        try:
            await ctx.wait_for("payment", Payment, timeout=600)
        except WaitTimeout:
            await ctx.send_message("no payment")
        amount = await ctx.step("refund", lambda: 5)
        return {"amount": amount}

    run = await FakeDialog(app).run("pay", crash_everywhere=True)
    assert (run.messages, run.data) == (["pay", "no payment"], {"amount": 5})


async def test_a_failure_hook_cannot_wait() -> None:
    """An `on_failure` hook that waits gets an error, and the block fails as usual."""

    async def hook(ctx: Context, _: object) -> None:
        await ctx.sleep(5)

    app = App(on_failure=hook)

    @app.block("fail")
    async def fail(ctx: Context) -> None:
        raise ValueError("no")

    run = await FakeDialog(app).run("fail")
    assert run.data["error"]["code"] == "internal"


async def test_send_event_reports_what_is_wrong() -> None:
    """`App.send_event` raises for an unknown execution, invalid data, and an app that is not run."""
    app = App()

    @app.block("pay")
    async def pay(ctx: Context) -> None:
        await ctx.wait_for("payment", Payment)

    with pytest.raises(RuntimeError, match="not running"):
        await app.send_event("01e", "payment")
    async with FakeDialog(app) as dialog:
        run = await dialog.start("pay")
        with pytest.raises(OperationNotAllowed, match="there is no execution"):
            await app.send_event("01e", "payment", {})
        with pytest.raises(ValueError, match="amount"):
            await app.send_event(run.execution, "payment", {})
        assert await app.send_event(run.execution, "payment", Payment(amount=2))
        await run.finish()
        with pytest.raises(OperationNotAllowed, match="no longer waits"):
            await app.send_event(run.execution, "payment", {})
