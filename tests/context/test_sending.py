"""Sending: a handler's messages reach the dialog in order, once each."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from vertexkit import App, Context, Message
from vertexkit.errors import (
    AlreadyCompleted,
    BadRequest,
    DialogGone,
    ExecutionEnded,
    RateLimited,
    SendOutcomeUnknown,
    VertexkitError,
)
from vertexkit.execution import OutcomeStatus
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

ASKS: dict[str, Callable[[Context], Awaitable[object]]] = {
    "send_message": lambda ctx: ctx.send_message("Ещё"),
    "step": lambda ctx: ctx.step("more", lambda: 1),
    "stream": lambda ctx: ctx.stream(["Ещё"]),
    "complete": lambda ctx: ctx.complete(),
}
"""All that a handler can ask of its dialog."""


async def test_messages_go_out_in_order(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """What is sent arrives in the order of the calls, each with its typing flag, byte for byte."""
    sent: list[Message] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        sent.append(await ctx.send_message("Раз"))
        sent.append(await ctx.send_message('"Два"\n', typing=False))

    run = await dialog.run("talk")
    assert run.messages == ["Раз", '"Два"\n']
    assert [message.typing for message in run.messages] == [True, False]
    assert [(m.message_id, m.created_at) for m in sent] == [
        (message.message_id, message.created_at) for message in run.messages
    ]
    first = fake_platform.ledger[0]
    assert first.path == "/api/vertex/v1/dialog/send_message"
    assert '"text":"Раз"'.encode() in first.body
    assert b'"typing":true' in first.body


async def test_concurrent_sends_keep_their_order(app: App, clock: VirtualClock) -> None:
    """Concurrent sends of a handler go out one request at a time, in the order of the calls."""
    platform = FakePlatform(clock=clock, typing_seconds=1.0)
    texts = [f"Часть {number}" for number in range(10)]

    @app.block("talk")
    async def talk(ctx: Context) -> list[int | None]:
        sent = await asyncio.gather(*(ctx.send_message(text) for text in texts))
        return [message.message_id for message in sent]

    run = await FakeDialog(app, platform).run("talk")
    assert run.messages == texts
    assert run.data == {"result": [message.message_id for message in run.messages]}
    platform.check()


@pytest.mark.unmeasured
@pytest.mark.parametrize("text", ["", None, 5, b"text", ["text"]])
async def test_an_invalid_text_raises_type_error(app: App, dialog: FakeDialog, text: Any) -> None:
    """An invalid text raises TypeError, and nothing is sent; the handler may continue."""

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(TypeError, match="at least 1 character"):
            await ctx.send_message(text)
        await ctx.send_message("А")

    assert (await dialog.run("talk")).messages == ["А"]


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_nothing_after_completion(app: App, dialog: FakeDialog, ask: Any) -> None:
    """Once the block is complete, every method raises AlreadyCompleted."""
    raised: list[BaseException] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.complete({"done": True})
        with pytest.raises(AlreadyCompleted) as info:
            await ask(ctx)
        raised.append(info.value)

    run = await dialog.run("talk")
    assert (len(raised), run.messages, run.data, run.ok) == (1, [], {"done": True}, True)


@pytest.mark.unmeasured
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_nothing_after_a_403(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, ask: Any
) -> None:
    """After a 403 every method raises DialogGone, however often the handler tries."""
    fake_platform.fail("send_message", status=403)
    raised: list[type[BaseException]] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        for asked in (ASKS["send_message"], ask, ASKS["send_message"]):
            try:
                await asked(ctx)
            except (VertexkitError, asyncio.CancelledError) as error:
                raised.append(type(error))

    run = await dialog.run("talk")
    assert raised == [DialogGone, DialogGone, DialogGone]
    assert run.messages == []
    assert run.data["error"]["code"] == "gone"
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == (OutcomeStatus.COMPLETED, "gone")


async def test_a_403_cancels_a_handler_that_swallows_everything(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, clock: VirtualClock
) -> None:
    """After a 403 the handler is cancelled wherever it is, and what it returns is not used."""
    fake_platform.fail("send_message", status=403)
    cancelled = asyncio.Event()

    @app.block("talk")
    async def talk(ctx: Context) -> dict[str, bool]:
        with suppress(DialogGone):
            await ctx.send_message("Алло")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
        return {"fine": True}

    run = await dialog.run("talk")
    assert cancelled.is_set()
    assert run.data["error"]["code"] == "gone"


async def test_nothing_after_the_deadline(
    app: App, dialog: FakeDialog, clock: VirtualClock
) -> None:
    """A handler whose deadline has passed can clean up, but it can send nothing more."""
    refused = 0

    @app.block("talk", timeout=5)
    async def talk(ctx: Context) -> None:
        nonlocal refused
        try:
            await clock.sleep(60)
        finally:
            for ask in ASKS.values():
                with pytest.raises(ExecutionEnded):
                    await ask(ctx)
                refused += 1

    run = await dialog.run("talk")
    assert refused == len(ASKS)
    assert (run.messages, run.data["error"]["code"]) == ([], "timeout")


async def test_a_rejected_text_can_be_replaced(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A 400 is raised in the handler: it may send something else and continue."""
    fake_platform.fail("send_message", status=400, body="too long")

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(BadRequest) as info:
            await ctx.send_message("Слишком длинно")
        assert (info.value.status, info.value.body) == (400, "too long")
        await ctx.send_message("Коротко")

    run = await dialog.run("talk")
    assert (run.messages, run.ok) == (["Коротко"], True)


@pytest.mark.parametrize("status", [429, 503])
async def test_the_platform_s_pause_is_kept(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, status: int
) -> None:
    """Asked to try again in 20 seconds, it does so then and not before; the message is sent once."""
    fake_platform.fail("send_message", status=status, retry_after=20)

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("Раз")
        await ctx.send_message("Два")

    run = await dialog.run("talk")
    assert (run.messages, run.ok, run.retries) == (["Раз", "Два"], True, 1)
    first, second = fake_platform.ledger[:2]
    assert second.at - first.at >= 20
    assert first.body == second.body


async def test_a_platform_that_is_busy_for_too_long(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A message that cannot be sent before the deadline raises an error of its own class."""
    fake_platform.fail("send_message", status=429, retry_after=50)

    @app.block("talk", timeout=30)
    async def talk(ctx: Context) -> None:
        with pytest.raises(RateLimited) as info:
            await ctx.send_message("Раз")
        assert info.value.retry_after == 50

    assert (await dialog.run("talk")).ok


async def test_cancelling_the_caller_does_not_cancel_a_request(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A send whose caller is cancelled runs to its end, and the next one waits for that."""
    fake_platform.fail("send_message", kind="slow", seconds=5)
    arrived = asyncio.Event()
    fake_platform.subscribe(lambda _: arrived.set(), arrivals=True)

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        sending = asyncio.create_task(ctx.send_message("Раз"))
        await arrived.wait()
        sending.cancel()
        await asyncio.wait({sending})
        assert sending.cancelled()
        await ctx.send_message("Два")

    run = await dialog.run("talk")
    assert (run.messages, run.ok) == (["Раз", "Два"], True)
    assert run.events.count("sent") == 2


async def test_a_message_of_a_returned_handler_arrives_before_the_completion(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A send that was not awaited is finished before the block is completed, or never started."""
    fake_platform.fail("send_message", kind="slow", seconds=5)
    arrived = asyncio.Event()
    fake_platform.subscribe(lambda _: arrived.set(), arrivals=True)
    left: list[asyncio.Task[Message]] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        left.append(asyncio.create_task(ctx.send_message("Раз")))
        await arrived.wait()
        left.append(asyncio.create_task(ctx.send_message("Два")))
        await asyncio.sleep(0)

    run = await dialog.run("talk")
    first, second = await asyncio.gather(*left, return_exceptions=True)
    assert isinstance(first, Message)
    assert isinstance(second, ExecutionEnded)
    assert not isinstance(second, SendOutcomeUnknown)
    assert (run.messages, run.ok) == (["Раз"], True)


async def test_a_context_that_outlives_its_handler_is_closed(app: App, dialog: FakeDialog) -> None:
    """A background task of a handler can send nothing after the handler has returned."""
    left: list[asyncio.Task[Message]] = []
    over = asyncio.Event()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        async def later() -> Message:
            await over.wait()
            return await ctx.send_message("Поздно")

        left.append(asyncio.create_task(later()))

    run = await dialog.run("talk")
    over.set()
    with pytest.raises(ExecutionEnded):
        await left[0]
    assert (run.messages, run.ok) == ([], True)


@pytest.mark.parametrize("caught", [False, True])
async def test_a_pause_beyond_the_deadline_ends_the_block_as_timeout(
    app: App, fake_platform: FakePlatform, caught: bool
) -> None:
    """At once: the platform asks to wait for longer than the block may run."""
    fake_platform.fail("send_message", status=429, retry_after=50)

    @app.block("send")
    async def send(ctx: Context) -> int:
        try:
            await ctx.send_message("Раз")
        except RateLimited:
            if not caught:
                raise
        return 1

    run = await FakeDialog(app, fake_platform, timeout=20).run("send")
    if caught:
        assert run.data == {"result": 1}
    else:
        assert run.data["error"] == {
            "code": "timeout",
            "message": "The block did not finish in time.",
        }
