"""ctx.step: a side effect that happens once, however often its handler runs."""

import threading
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, Context, Retry
from vertexkit.testing import FakeDialog


class Rate(BaseModel):
    value: float
    on: date


async def test_a_step_is_taken_once_over_all_runs() -> None:
    """A second run gets the journalled result, as the type that the function promises."""
    app = App()
    taken: list[str] = []
    got: list[Rate] = []

    async def fetch(code: str, *, day: int) -> Rate:
        taken.append(code)
        return Rate(value=7.5, on=date(2026, 1, day))

    @app.block("rate")
    async def rate(ctx: Context) -> None:
        got.append(await ctx.step("fetch", fetch, "USD", day=2))
        if ctx.attempt < 3:
            raise Retry(after=1)

    run = await FakeDialog(app).run("rate")
    assert run.ok
    assert taken == ["USD"]
    assert got == [Rate(value=7.5, on=date(2026, 1, 2))] * 3


async def test_a_plain_function_is_stepped_in_a_thread() -> None:
    """What blocks does not block the other dialogs."""
    app = App()

    def where() -> str:
        return threading.current_thread().name

    @app.block("where")
    async def here(ctx: Context) -> bool:
        return await ctx.step("where", where) == threading.current_thread().name

    assert (await FakeDialog(app).run("where")).data == {"result": False}


async def test_a_step_that_fails_is_not_remembered() -> None:
    """Its error reaches the handler, and the next run takes it again."""
    app = App()
    tries: list[int] = []

    async def shaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        return "done"

    @app.block("shaky")
    async def block(ctx: Context) -> str:
        try:
            return await ctx.step("shaky", shaky)
        except OSError as error:
            raise Retry(after=5) from error

    run = await FakeDialog(app).run("shaky")
    assert run.data == {"result": "done"}
    assert len(tries) == 2


async def test_what_cannot_be_kept_is_told() -> None:
    """A result that is no JSON cannot be given back after a crash: the handler hears of it."""
    app = App()

    async def odd() -> Any:
        return object()

    @app.block("odd")
    async def block(ctx: Context) -> None:
        with pytest.raises(TypeError, match="odd"):
            await ctx.step("odd", odd)

    assert (await FakeDialog(app).run("odd")).ok


async def test_messages_and_steps_share_one_order() -> None:
    """A second run that takes another way than the first is parked, and says where."""
    app = App()

    async def nothing() -> None: ...

    @app.block("astray")
    async def astray(ctx: Context) -> None:
        if ctx.attempt == 1:
            await ctx.send_message("hello")
            raise Retry(after=1)
        await ctx.step("nothing", nothing)

    run = await FakeDialog(app).run("astray")
    assert run.outcome is not None
    assert run.outcome.ending == "parked"
    assert run.outcome.code == "nondeterministic"
    assert "at position 0 an earlier run did 'send', this one 'step:nothing'" in run.outcome.reason
    assert run.data["error"]["code"] == "nondeterministic"


async def test_a_second_run_says_nothing_twice() -> None:
    """Messages of the first run give back their ids; only what is new is said."""
    app = App()
    ids: list[list[int | None]] = []

    @app.block("again")
    async def again(ctx: Context) -> None:
        sent = [await ctx.send_message("one"), await ctx.send_message("two")]
        ids.append([message.message_id for message in sent])
        if ctx.attempt == 1:
            raise Retry(after=1)
        await ctx.send_message("three")

    dialog = FakeDialog(app)
    run = await dialog.run("again")
    assert run.messages == ["one", "two", "three"]
    assert ids == [[1, 2], [1, 2]]
    dialog.platform.check()


async def test_a_lost_message_stays_lost_in_the_next_run() -> None:
    """Its fate was unknown and it counted as sent: a second run does not send it either."""
    app = App()

    @app.block("again")
    async def again(ctx: Context) -> None:
        message = await ctx.send_message("one")
        assert message.message_id is None
        if ctx.attempt == 1:
            raise Retry(after=1)

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="lost")
    run = await dialog.run("again")
    assert run.messages == ["one"]
    assert run.ok
