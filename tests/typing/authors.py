"""An author's code with the types that a type checker infers for it.

`test_typing.py` checks this file with the type checkers that authors use.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, assert_type
from uuid import UUID

import pytest
from structlog.typing import FilteringBoundLogger

from vertexkit import (
    App,
    BotOne,
    Claims,
    Context,
    Conversation,
    ConversationDetails,
    Failure,
    Message,
    Middleware,
    Next,
    PlatformError,
    Retry,
    SyncContext,
)
from vertexkit.testing import FakeDialog


class Pool:
    """A pool of connections, as an example of a state."""

    async def fetch(self, key: str) -> float:
        return len(key)


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[Pool]:
    yield Pool()


async def timing(ctx: Context, call_next: Next) -> Any:
    return await call_next(ctx)


async def on_failure(ctx: Context, failure: Failure) -> dict[str, str]:
    assert_type(failure.code, str)
    return {"code": failure.code}


middleware: list[Middleware] = [timing]
app = App(lifespan=lifespan, middleware=[timing], on_failure=on_failure)
assert_type(app, App[Pool])
plain = App()
assert_type(plain, App[Any])


@app.block("rate", timeout=30, on_unknown="raise")
async def rate(ctx: Context[Pool], currency: str) -> dict[str, float]:
    assert_type(ctx.state, Pool)
    assert_type(ctx.log, FilteringBoundLogger)
    assert_type(ctx.claims, Claims | None)
    try:
        assert_type(await ctx.send_message("..."), Message)
    except PlatformError as error:
        assert_type(error.status, int | None)
        raise Retry(after=1) from error
    value = await ctx.step("rate", ctx.state.fetch, currency)
    assert_type(value, float)
    assert_type(await ctx.dialog.conversation(), ConversationDetails)
    return {"rate": value}


@app.block("report")
def report(ctx: SyncContext[Pool]) -> None:
    assert_type(ctx.state, Pool)
    assert_type(ctx.send_message("..."), Message)
    assert_type(ctx.step("number", len, "three"), int)
    assert_type(ctx.dialog.conversation(), ConversationDetails)


@plain.block("echo")
async def echo(ctx: Context) -> None:
    assert_type(ctx.state, Any)


async def export(bot: BotOne) -> None:
    assert_type(await bot.v1.conversation(332), ConversationDetails)
    with BotOne.sync("https://demo.bot.one/api", "user", "password") as script:
        assert_type(script.v1.conversation(332), ConversationDetails)
        assert_type(script.v2.create(698, variables={"city": "Tver"}), UUID)
        assert_type(list(script.v2.conversations(bot_id=698)), list[Conversation])


@pytest.mark.vertexkit(app=plain, timeout=5)
async def check_echo(fake_dialog: FakeDialog) -> None:
    run = await fake_dialog.run("echo")
    assert_type(run.retries, int)
