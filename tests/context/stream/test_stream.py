"""Streams: a growing text becomes messages while it grows."""

import asyncio
from collections.abc import AsyncIterator, Iterator

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

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        sent.extend(await ctx.stream(growing(STORY)))

    run = await dialog.run("tell")
    assert run.messages == PARAGRAPHS
    assert [m.message_id for m in sent] == [said.message_id for said in run.messages]
    assert all(said.typing for said in run.messages)


async def test_a_plain_iterable_will_do(app: App, dialog: FakeDialog) -> None:
    """A list or a generator of pieces is a stream too."""

    def pieces() -> Iterator[str]:
        yield from (STORY[:20], STORY[20:])

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        await ctx.stream(pieces(), typing=False)
        await ctx.stream(["Конец"])

    run = await dialog.run("tell")
    assert run.messages == [*PARAGRAPHS, "Конец"]
    assert [said.typing for said in run.messages] == [False, False, False, True]


async def test_by_sentence_and_by_limit(app: App, dialog: FakeDialog) -> None:
    """An author chooses where to cut, and how long a message may be."""

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        await ctx.stream(growing("Раз. Два! Три"), by="sentence", limit=12)
        await ctx.stream(growing("слово " * 10), limit=20)

    run = await dialog.run("tell")
    assert run.messages[:3] == ["Раз.", "Два!", "Три"]
    assert len(run.messages) > 4
    assert all(len(said) <= 20 for said in run.messages)
    assert " ".join(run.messages[3:]).split() == ["слово"] * 10


async def test_a_paragraph_is_said_before_the_next_one_is_thought_of(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """What is whole is in the dialog before the stream is asked for more."""
    there: list[int] = []

    async def thinking() -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS:
            there.append(len(fake_platform.dialogs[0].messages))
            yield paragraph + "\n\n"

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        await ctx.stream(thinking())

    assert (await dialog.run("tell")).messages == PARAGRAPHS
    assert there == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "\n\n", "  \n "])
async def test_a_stream_of_nothing_says_nothing(app: App, dialog: FakeDialog, text: str) -> None:
    """No message is sent for a stream without a word."""

    @app.block("tell")
    async def tell(ctx: Context) -> int:
        return len(await ctx.stream(growing(text, 1)))

    run = await dialog.run("tell")
    assert (run.messages, run.data) == ([], {"result": 0})


async def test_a_stream_that_breaks_off(app: App, dialog: FakeDialog) -> None:
    """What was whole has been said, the rest has not, and the handler gets the stream's error."""

    async def breaking() -> AsyncIterator[str]:
        yield "Начало.\n\nСередина"
        raise ConnectionError("the model went away")

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        with pytest.raises(ConnectionError):
            await ctx.stream(breaking())
        await ctx.send_message("Простите")

    assert (await dialog.run("tell")).messages == ["Начало.", "Простите"]


async def test_a_stream_into_a_dialog_that_is_gone(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """At the first 403 the stream is asked for no more."""
    fake_platform.fail("send_message", status=403, after=1)
    asked: list[str] = []

    async def counting() -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS:
            asked.append(paragraph)
            yield paragraph + "\n\n"

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        with pytest.raises(DialogGone):
            await ctx.stream(counting())

    run = await dialog.run("tell")
    assert run.messages == PARAGRAPHS[:1]
    assert asked == PARAGRAPHS[:2]


async def test_a_stream_after_completion(app: App, dialog: FakeDialog) -> None:
    """A stream into a block that is complete says so by name, and sends nothing."""

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        await ctx.complete()
        with pytest.raises(AlreadyCompleted):
            await ctx.stream(growing(STORY))

    assert (await dialog.run("tell")).ok


async def test_a_second_run_says_only_what_is_new(app: App, dialog: FakeDialog) -> None:
    """A stream that broke off goes on after what was said when its handler runs again."""

    async def telling(paragraphs: int) -> AsyncIterator[str]:
        for paragraph in PARAGRAPHS[:paragraphs]:
            yield paragraph + "\n\n"
        if paragraphs < len(PARAGRAPHS):
            raise ConnectionError

    @app.block("tell")
    async def tell(ctx: Context) -> None:
        try:
            await ctx.stream(telling(ctx.attempt))
        except ConnectionError as error:
            raise Retry from error

    run = await dialog.run("tell")
    assert (run.messages, run.attempts) == (PARAGRAPHS, 3)
