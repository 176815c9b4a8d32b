"""The deadline of a run: a handler extends it, within what its block allows."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from vertexkit import App, Context, DefinitionError, Failure, SyncContext
from vertexkit.testing import FakeDialog


def about(seconds: float) -> int:
    """Round to hundreds: a slow machine takes some seconds of real time."""
    return 100 * round(seconds / 100)


async def test_a_handler_extends_its_deadline(app: App, dialog: FakeDialog) -> None:
    """The run continues past its first deadline; `remaining` and `deadline` show the new one."""

    @app.block("work", timeout=3000, max_timeout=10_000)
    async def work(ctx: Context) -> Any:
        before = ctx.deadline
        remaining = await ctx.extend(timedelta(seconds=3000))
        moved = (ctx.deadline - before).total_seconds()
        await asyncio.sleep(4500)
        return [about(remaining), about(moved), about(ctx.remaining)]

    assert (await dialog.run("work")).data == {"result": [6000, 3000, 1500]}


@pytest.mark.parametrize("seconds, ok", [(9500, True), (10_500, False)])
async def test_max_timeout_is_the_bound(
    app: App, dialog: FakeDialog, seconds: int, ok: bool
) -> None:
    """However often a handler extends its deadline, it ends after `max_timeout`."""
    remaining: list[int] = []

    @app.block("work", timeout=3000, max_timeout=10_000)
    async def work(ctx: Context) -> None:
        remaining.extend([about(await ctx.extend(5000)) for _ in range(5)])
        await asyncio.sleep(seconds)

    run = await dialog.run("work")
    assert remaining == [8000, 10_000, 10_000, 10_000, 10_000]
    assert run.outcome is not None
    assert run.outcome.code == ("ok" if ok else "timeout")


async def test_messages_may_be_sent_until_the_new_deadline(app: App, dialog: FakeDialog) -> None:
    """A message is retried past the first deadline."""
    dialog.platform.fail("send_message", status=429, retry_after=400)

    @app.block("work", timeout=300, max_timeout=1000)
    async def work(ctx: Context) -> None:
        await ctx.extend(600)
        await ctx.send_message("Hello")

    run = await dialog.run("work")
    assert (run.messages, run.ok, run.retries) == (["Hello"], True, 1)


async def test_the_time_of_earlier_runs_counts() -> None:
    """After a durable wait, `max_timeout` bounds what all runs of the handler take together."""
    app = App()
    remaining: list[int] = []

    @app.block("work", timeout=3000, max_timeout=10_000)
    async def work(ctx: Context) -> None:
        await ctx.extend(5000)
        await ctx.step("work", asyncio.sleep, 6000)
        await ctx.sleep(36_000)
        remaining.append(about(await ctx.extend(100_000)))

    assert (await FakeDialog(app).run("work")).ok
    assert remaining == [4000]


async def test_without_max_timeout_it_is_an_error() -> None:
    """A block without the option, and a hook, cannot extend the deadline: the error says so."""
    raised: list[str] = []

    async def hook(ctx: Context, failure: Failure) -> None:
        with pytest.raises(RuntimeError, match="of an on_failure hook"):
            await ctx.extend(5)
        raised.append("hook")

    app = App(on_failure=hook)

    @app.block("work", max_timeout=None)
    async def work(ctx: Context) -> None:
        await ctx.extend(5)

    run = await FakeDialog(app).run("work")
    assert "max_timeout" in str(run.error)
    assert (run.ok, raised) == (False, ["hook"])


async def test_a_def_handler_extends_its_deadline(app: App, dialog: FakeDialog) -> None:
    """A `SyncContext` has the same method."""

    @app.block("work", timeout=3000, max_timeout=10_000)
    def work(ctx: SyncContext) -> int:
        return about(ctx.extend(3000))

    assert (await dialog.run("work")).data == {"result": 6000}


def test_the_bound_is_checked_at_import(app: App) -> None:
    """A `max_timeout` that is less than the block's `timeout` is an error of the definition."""
    with pytest.raises(DefinitionError, match="max_timeout must be at least timeout"):

        @app.block("work", timeout=30, max_timeout=20)
        async def work(ctx: Context) -> None: ...
