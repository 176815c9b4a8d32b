"""ctx.send_message: what the dialog hears, and what a handler is told when it does not."""

import asyncio
from typing import Any, Literal

import pytest

from vertexkit import App, Context, Message
from vertexkit.errors import (
    AlreadyCompleted,
    BadRequest,
    DialogGone,
    ExecutionEnded,
    SendOutcomeUnknown,
    VertexkitError,
)
from vertexkit.testing import FakeDialog, FakePlatform

Policy = Literal["assume_sent", "resend", "raise", "park"]


async def test_messages_go_out_in_the_order_of_the_calls() -> None:
    """Also when a handler says several things at once, whoever asks first speaks first."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("0")
        await asyncio.gather(*(ctx.send_message(str(n)) for n in range(1, 10)))

    dialog = FakeDialog(app)
    run = await dialog.run("talk")
    assert run.messages == [str(n) for n in range(10)]
    dialog.platform.check()


async def test_a_message_is_told_with_its_id_and_time() -> None:
    """The handler gets what the platform answered; typing is shown unless told otherwise."""
    app = App()
    got: list[Message] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        got.append(await ctx.send_message("with"))
        got.append(await ctx.send_message("without", typing=False))

    run = await FakeDialog(app).run("talk")
    assert [said.typing for said in run.messages] == [True, False]
    assert [m.message_id for m in got] == [said.message_id for said in run.messages] == [1, 2]
    assert [m.created_at for m in got] == [said.created_at for said in run.messages]


@pytest.mark.parametrize("text", ["", None, 7, b"bytes"])
async def test_nothing_is_no_message(text: Any) -> None:
    """A text of no character, or no text, is a mistake in the handler: told, and not sent."""
    app = App()
    caught: list[str] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(TypeError) as error:
            await ctx.send_message(text)
        caught.append(str(error.value))

    dialog = FakeDialog(app)
    run = await dialog.run("talk")
    assert run.ok
    assert run.messages == []
    assert "a text of 1 character or more" in caught[0]


async def test_a_rate_limit_is_waited_out() -> None:
    """429 with Retry-After: the message goes out once, after that time, and nobody is troubled."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("hello")

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", status=429, retry_after=30, times=2)
    run = await dialog.run("talk")
    assert run.messages == ["hello"]
    assert run.retries == 2
    assert 60 <= run.messages[0].at < 70
    dialog.platform.check()


async def test_a_rate_limit_beyond_the_deadline_is_told() -> None:
    """Where waiting would outlast the handler's time, the handler hears of it at once."""
    app = App()

    @app.block("talk", timeout=20)
    async def talk(ctx: Context) -> str:
        try:
            await ctx.send_message("hello")
        except VertexkitError as error:
            return type(error).__name__
        return "sent"

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", status=429, retry_after=30)
    assert (await dialog.run("talk")).data == {"result": "RateLimited"}


async def test_a_text_that_is_not_taken_is_told_and_the_dialog_goes_on() -> None:
    """400: the error says so, and the handler may say something else."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(BadRequest):
            await ctx.send_message("too odd")
        await ctx.send_message("plain")

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", status=400)
    run = await dialog.run("talk")
    assert run.messages == ["plain"]
    assert run.ok


@pytest.mark.parametrize("how", [{"kind": "lost"}, {"status": 500}, {"kind": "half"}])
async def test_a_lost_answer_is_not_asked_for_again(how: dict[str, Any]) -> None:
    """Nobody knows whether it was sent: by default it counts as sent, without an id, once."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> bool:
        message = await ctx.send_message("once")
        await ctx.send_message("then")
        return message.message_id is None

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", **how)
    run = await dialog.run("talk")
    asked = [e.json["text"] for e in dialog.platform.ledger if e.method == "send_message"]
    assert asked == ["once", "then"]
    assert run.ok
    # Half an answer came with its status: it is known to be sent, only its id is not.
    assert run.data == {"result": True}
    assert ("unknown" in run.events) == (how != {"kind": "half"})


@pytest.mark.parametrize(
    "policy, texts, code, ending",
    [
        ("assume_sent", ["hello"], "ok", "completed"),
        ("resend", ["hello", "hello"], "ok", "completed"),
        ("raise", ["hello"], "told", "completed"),
        ("park", ["hello"], "unknown", "parked"),
    ],
)
async def test_a_block_decides_what_a_lost_answer_means(
    policy: Policy, texts: list[str], code: str, ending: str
) -> None:
    """on_unknown: count it as sent, send it again, tell the handler, or leave it to an operator."""
    app = App()

    @app.block("talk", on_unknown=policy)
    async def talk(ctx: Context) -> str:
        try:
            await ctx.send_message("hello")
        except SendOutcomeUnknown:
            return "told"
        return "ok"

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="lost")
    run = await dialog.run("talk")
    assert run.messages == texts
    assert run.outcome is not None
    assert run.outcome.ending == ending
    if ending == "parked":
        assert run.outcome.code == code
        assert run.data["error"]["code"] == code  # the dialog goes on all the same
    else:
        assert run.data == {"result": code}


async def test_after_a_403_nothing_more_is_sent() -> None:
    """The handler is cancelled even if it swallows everything; the block is completed as gone."""
    app = App()
    errors: list[type[BaseException]] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        for _ in range(5):
            try:
                await ctx.send_message("hello")
                await asyncio.sleep(0)
            except BaseException as error:  # noqa: BLE001 - what a careless author writes
                errors.append(type(error))

    dialog = FakeDialog(app, cleanup=0.05)
    dialog.platform.fail("send_message", status=403)
    run = await dialog.run("talk")
    assert [e.method for e in dialog.platform.ledger] == ["send_message", "complete"]
    assert errors[0] is DialogGone
    assert run.data["error"]["code"] == "gone"
    assert run.outcome is not None
    assert run.outcome.ending == "completed"


async def test_after_completion_nothing_more_is_sent() -> None:
    """A dialog that went on takes no more messages from this block: AlreadyCompleted."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.complete({"a": 1})
        with pytest.raises(AlreadyCompleted, match="nothing more can be sent"):
            await ctx.send_message("late")

    dialog = FakeDialog(app)
    run = await dialog.run("talk")
    assert run.messages == []
    assert run.data == {"a": 1}
    dialog.platform.check()


async def test_a_context_that_outlives_its_handler_is_closed() -> None:
    """What a handler left running in the background can say nothing after it has returned."""
    app = App()
    platform = FakePlatform()
    late: list[asyncio.Task[Message]] = []
    over = asyncio.Event()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        async def later() -> Message:
            await over.wait()
            return await ctx.send_message("late")

        late.append(asyncio.create_task(later()))

    run = await FakeDialog(app, platform).run("talk")
    over.set()
    with pytest.raises(ExecutionEnded):
        await late[0]
    assert run.messages == []
    platform.check()


async def test_a_message_under_way_lands_before_the_completion() -> None:
    """A handler that does not wait for its message still has it said before its block ends."""
    app = App()
    asked: list[asyncio.Task[Message]] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        asked.append(asyncio.create_task(ctx.send_message("hello")))
        await arrived.wait()

    arrived = asyncio.Event()
    dialog = FakeDialog(app)
    dialog.platform.subscribe(lambda _: arrived.set(), arrivals=True)
    dialog.platform.fail("send_message", kind="slow", seconds=5)
    run = await dialog.run("talk")
    assert run.messages == ["hello"]
    assert [e.method for e in dialog.platform.ledger] == ["send_message", "complete"]
    assert (await asked[0]).message_id == 1
    dialog.platform.check()
