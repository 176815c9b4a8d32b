"""The `on_failure` hook: what a failed block is completed with."""

import asyncio
import sys
from typing import Any

import pytest
import structlog

from vertexkit import App, BlockFailed, Context, Failure
from vertexkit.testing import FakeDialog, FakePlatform

SHORT, LONG = 0.05, 60.0
"""Real seconds after which a hook that hangs is cancelled; enough for one that does not hang."""


def completions(platform: FakePlatform) -> int:
    """How often a block was completed."""
    return sum(entry.method == "complete" for entry in platform.ledger)


async def test_a_hook_returns_the_result_of_a_failed_block() -> None:
    """on_failure may send a message, and returns what the failed block is completed with."""
    failures: list[Failure] = []

    async def sorry(ctx: Context, failure: Failure) -> dict[str, str]:
        failures.append(failure)
        await ctx.send_message("Увы")
        return {"sorry": failure.code}

    app = App(on_failure=sorry)

    @app.block("block")
    async def handler(ctx: Context) -> None:
        await ctx.send_message("started")
        raise ValueError("why")

    dialog = FakeDialog(app)
    run = await dialog.run("block")
    assert run.messages == ["started", "Увы"]
    assert run.data == {"sorry": "internal"}
    assert isinstance(failures[0].error, ValueError)
    assert not run.ok
    dialog.platform.check()


@pytest.mark.unmeasured
@pytest.mark.parametrize("how", ["raises", "exits", "cancels", "hangs", "stays", "nothing", "odd"])
async def test_a_hook_that_fails_changes_nothing(how: str) -> None:
    """Whatever a hook does, the block is completed: with the default if it returns None."""
    over = asyncio.Event()

    async def hook(ctx: Context, failure: Failure) -> Any:
        if how == "raises":
            raise RuntimeError("in the hook")
        if how == "exits":
            sys.exit(3)
        if how == "cancels":
            raise asyncio.CancelledError
        while how in {"hangs", "stays"} and not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                if how == "hangs":
                    raise
        return object() if how == "odd" else None

    app = App(on_failure=hook)

    @app.block("block")
    async def handler(ctx: Context) -> None:
        raise BlockFailed("first", "The first failure.")

    dialog = FakeDialog(app, cleanup=SHORT if how in {"hangs", "stays"} else LONG)
    run = await dialog.run("block")
    over.set()
    assert run.data["error"] == {"code": "first", "message": "The first failure."}
    assert completions(dialog.platform) == 1
    dialog.platform.check()


@pytest.mark.parametrize("then", ["nothing", "returns", "raises", "hangs"])
async def test_a_hook_may_complete_the_block_itself(then: str) -> None:
    """`ctx.complete` in a hook is the block's one completion, whatever the hook does after it."""

    async def hook(ctx: Context, failure: Failure) -> Any:
        await ctx.complete({"by": "hook"})
        if then == "raises":
            raise RuntimeError("in the hook")
        if then == "hangs":
            await asyncio.Event().wait()
        return {"by": "return"} if then == "returns" else None

    app = App(on_failure=hook)

    @app.block("block")
    async def handler(ctx: Context) -> int:
        raise ValueError("why")

    dialog = FakeDialog(app, cleanup=SHORT if then == "hangs" else LONG)
    run = await dialog.run("block")
    assert run.data == {"by": "hook"}
    assert completions(dialog.platform) == 1
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == ("completed", "internal")
    dialog.platform.check()


async def test_a_plain_function_is_no_hook() -> None:
    """The hook must be `async def`: it is logged, and the block is completed with the default."""
    app = App(on_failure=lambda ctx, failure: {"sorry": True})  # pyrefly: ignore[bad-argument-type]

    @app.block("block")
    async def handler(ctx: Context) -> None:
        raise BlockFailed("first", "The first failure.")

    with structlog.testing.capture_logs() as lines:
        run = await FakeDialog(app).run("block")
    assert run.data["error"]["code"] == "first"
    assert run.outcome is not None
    assert run.outcome.status == "completed"
    assert "on_failure_failed" in [line["event"] for line in lines]
