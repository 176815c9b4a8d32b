"""Streams: a growing text becomes messages while it grows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from vertexkit import App, Context, DialogGone, Message, Retry
from vertexkit.errors import AlreadyCompleted
from vertexkit.testing import FakeDialog, FakePlatform

STORY = "Жил-был кот. Он спал.\n\nПотом проснулся!\n\nИ ушёл"
PARAGRAPHS = ["Жил-был кот. Он спал.", "Потом проснулся!", "И ушёл"]


async def growing(text: str, size: int = 3) -> AsyncIterator[str]:
    for at in range(0, len(text), size):
        await asyncio.sleep(0)
        yield text[at : at + size]


async def test_an_async_stream_comes_in_paragraphs(app: App, dialog: FakeDialog) -> None:
    """An LLM's chunks become one message a paragraph, and the handler gets all of them."""
    sent: list[Message] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        sent.extend(await ctx.stream(growing(STORY)))

    run = await dialog.run("talk")
    assert run.messages == PARAGRAPHS
    assert [m.message_id for m in sent] == [message.message_id for message in run.messages]
    assert all(message.typing for message in run.messages)


async def test_an_iterable_is_a_stream_too(app: App, dialog: FakeDialog) -> None:
    """A list or a generator of pieces is a stream too."""

    def pieces() -> Iterator[str]:
        yield from (STORY[:20], STORY[20:])

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.stream(pieces(), typing=False)
        await ctx.stream(["Конец"])

    run = await dialog.run("talk")
    assert run.messages == [*PARAGRAPHS, "Конец"]
    assert [message.typing for message in run.messages] == [False, False, False, True]


async def test_by_sentence_and_by_limit(app: App, dialog: FakeDialog) -> None:
    """An author chooses where to cut, and how long a message may be."""

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.stream(growing("Раз. Два! Три"), by="sentence", limit=12)
        await ctx.stream(growing("слово " * 10), limit=20)

    run = await dialog.run("talk")
    assert run.messages[:3] == ["Раз.", "Два!", "Три"]
    assert len(run.messages) > 4
    assert all(len(message) <= 20 for message in run.messages)
    assert " ".join(run.messages[3:]).split() == ["слово"] * 10


async def test_a_paragraph_is_sent_before_the_next_one_is_read(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A complete paragraph is sent before the stream is read further."""
    there: list[int] = []

    async def thinking() -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS:
            there.append(len(fake_platform.dialogs[0].messages))
            yield paragraph + "\n\n"

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.stream(thinking())

    assert (await dialog.run("talk")).messages == PARAGRAPHS
    assert there == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "\n\n", "  \n "])
async def test_an_empty_stream_sends_nothing(app: App, dialog: FakeDialog, text: str) -> None:
    """No message is sent for an empty stream."""

    @app.block("talk")
    async def talk(ctx: Context) -> int:
        return len(await ctx.stream(growing(text, 1)))

    run = await dialog.run("talk")
    assert (run.messages, run.data) == ([], {"result": 0})


async def test_a_stream_that_fails(app: App, dialog: FakeDialog) -> None:
    """Complete paragraphs have been sent, the rest has not, and the handler gets the stream's error."""

    async def breaking() -> AsyncIterator[str]:
        yield "Начало.\n\nСередина"
        raise ConnectionError("the model went away")

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(ConnectionError):
            await ctx.stream(breaking())
        await ctx.send_message("Простите")

    assert (await dialog.run("talk")).messages == ["Начало.", "Простите"]


async def test_a_stream_into_a_dialog_that_is_gone(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """After the first 403 the stream is not read any more."""
    fake_platform.fail("send_message", status=403, after=1)
    asked: list[str] = []

    async def counting() -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS:
            asked.append(paragraph)
            yield paragraph + "\n\n"

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        with pytest.raises(DialogGone):
            await ctx.stream(counting())

    run = await dialog.run("talk")
    assert run.messages == PARAGRAPHS[:1]
    assert asked == PARAGRAPHS[:2]


async def test_a_stream_after_completion(app: App, dialog: FakeDialog) -> None:
    """A stream after the completion raises AlreadyCompleted, and sends nothing."""

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        await ctx.complete()
        with pytest.raises(AlreadyCompleted):
            await ctx.stream(growing(STORY))

    assert (await dialog.run("talk")).ok


async def test_a_second_run_sends_only_what_is_new(app: App, dialog: FakeDialog) -> None:
    """A stream that failed continues after the messages that were sent when its handler runs again."""

    async def telling(paragraphs: int) -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS[:paragraphs]:
            yield paragraph + "\n\n"
        if paragraphs < len(PARAGRAPHS):
            raise ConnectionError

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        try:
            await ctx.stream(telling(ctx.attempt))
        except ConnectionError as error:
            raise Retry from error

    run = await dialog.run("talk")
    assert (run.messages, run.attempts) == (PARAGRAPHS, 3)


@pytest.mark.parametrize(
    "chunks, text",
    [
        (None, "ctx.stream needs texts that can be iterated over, got NoneType"),
        (5, "ctx.stream needs texts that can be iterated over, got int"),
        (len, "ctx.stream needs texts that can be iterated over, got builtin_function_or_method"),
        (
            "coroutine",
            "ctx.stream needs texts that can be iterated over, got coroutine: await it first",
        ),
    ],
)
async def test_what_is_no_stream_is_an_error_that_names_it(
    app: App, dialog: FakeDialog, chunks: Any, text: str
) -> None:
    """As when the request for a model's stream was not awaited."""

    @app.block("say")
    async def say(ctx: Context) -> str:
        stream: Any = make_stream() if chunks == "coroutine" else chunks
        with pytest.raises(TypeError) as caught:
            await ctx.stream(stream)
        if chunks == "coroutine":
            stream.close()
        return str(caught.value)

    assert (await dialog.run("say")).data == {"result": text}


async def make_stream() -> list[str]:
    return []
