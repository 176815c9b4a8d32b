"""How long a call of a later run waits for the calls of other branches."""

import asyncio

import pytest

from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context, Retry
from vertexkit.context import effects
from vertexkit.testing import FakeDialog


async def test_waiting_for_other_branches_leaves_time_for_the_handler(
    app: App, dialog: FakeDialog
) -> None:
    """A call that repeats nothing waits for half of the time that is left, not for all of it.

    In a test the clock jumps to the end of the wait.
    """

    @app.block("again", timeout=10)
    async def again(ctx: Context) -> str:
        ticker = asyncio.create_task(asyncio.Event().wait())
        await ctx.send_message(f"Run {ctx.attempt}")
        ticker.cancel()
        if ctx.attempt == 1:
            raise Retry(after=0)
        return "in time"

    run = await dialog.run("again")
    assert (run.messages, run.data) == (["Run 1", "Run 2"], {"result": "in time"})
    assert dialog.clock.skipped > 0


@pytest.mark.parametrize("virtual_sleep", [True, False])
async def test_a_call_waits_for_a_branch_that_sleeps(app: App, virtual_sleep: bool) -> None:
    """In virtual and in real time: it repeats what that branch does not ask for."""

    @app.block("again")
    async def again(ctx: Context) -> None:
        async def sleeping() -> None:
            await asyncio.sleep(0.3)
            await ctx.send_message("After a pause")

        await asyncio.gather(ctx.send_message(f"Run {ctx.attempt}"), sleeping())
        if ctx.attempt == 1:
            raise Retry(after=0)

    async with FakeDialog(app, virtual_sleep=virtual_sleep) as dialog:
        run = await dialog.run("again")
    assert run.messages == ["Run 1", "After a pause"]


async def test_a_handler_that_waits_for_its_branches_is_not_waited_for(
    app: App, dialog: FakeDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that change with each run are sent at once if the handler awaits its branches."""
    # A wait would take as long, however slow the machine is.
    monkeypatch.setattr(effects, "PARENT_SECONDS", PATIENCE_SECONDS)
    seconds: list[float] = []

    @app.block("again")
    async def again(ctx: Context) -> None:
        started = dialog.clock.now()
        await asyncio.gather(
            *(ctx.send_message(f"{part} of run {ctx.attempt}") for part in ("first", "second"))
        )
        seconds.append(dialog.clock.now() - started)
        if ctx.attempt == 1:
            raise Retry(after=0)

    assert (await dialog.run("again")).messages == ["first of run 1", "second of run 1"]
    assert seconds[1] < 10  # less than half of the dialog's timeout, which a wait would take
