"""ctx.stream: a growing text, said in messages."""

from collections.abc import AsyncIterator, Iterator

from vertexkit import App, Context
from vertexkit.testing import FakeDialog

TEXT = "First one. It is short.\n\nSecond one, with `code. here`.\n\nThird."


async def test_a_growing_text_is_said_by_paragraphs() -> None:
    """As soon as a paragraph is whole it is said, and not after the whole text."""
    app = App()
    said_before_the_end: list[int] = []

    async def model() -> AsyncIterator[str]:
        for letter in TEXT:
            yield letter
        said_before_the_end.append(len(dialog.platform.dialogs[0].visits[0].messages))

    @app.block("story")
    async def story(ctx: Context) -> int:
        return len(await ctx.stream(model()))

    dialog = FakeDialog(app)
    run = await dialog.run("story")
    assert run.messages == TEXT.split("\n\n")
    assert run.data == {"result": 3}
    assert said_before_the_end == [2]


async def test_a_growing_text_is_said_by_sentences() -> None:
    """Shorter messages, never cut inside code; a plain iterator will do as well."""
    app = App()

    def chunks() -> Iterator[str]:
        yield from TEXT.split(" ")[0:1]
        yield TEXT[5:]

    @app.block("story")
    async def story(ctx: Context) -> None:
        await ctx.stream(chunks(), by="sentence", typing=False)

    run = await FakeDialog(app).run("story")
    assert run.messages == [
        "First one.",
        "It is short.",
        "Second one, with `code. here`.",
        "Third.",
    ]
    assert not any(said.typing for said in run.messages)


async def test_an_empty_text_says_nothing() -> None:
    """No chunk, or chunks of nothing but space: no message, and no error."""
    app = App()

    @app.block("story")
    async def story(ctx: Context) -> list[int]:
        return [len(await ctx.stream(chunks)) for chunks in ([], [""], [" ", "\n\n"])]

    run = await FakeDialog(app).run("story")
    assert run.messages == []
    assert run.data == {"result": [0, 0, 0]}
