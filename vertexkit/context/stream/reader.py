"""The chunks of a stream, as texts that can be split."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable


class ChunkReader:
    """Checks and joins the chunks that an author hands to `ctx.stream`.

    None counts as nothing: OpenAI-compatible APIs send it in their first and last chunks. A
    character that is split between two chunks, into two surrogates, is joined again.
    """

    def __init__(self) -> None:
        self._half = ""

    def read(self, chunk: object) -> str:
        """Return the text of a chunk, and of the half character before it.

        Raises:
            TypeError: The chunk is neither a text nor None.
        """
        if chunk is None:
            return ""
        if not isinstance(chunk, str):
            raise TypeError(
                f"ctx.stream needs chunks of text (str), got {type(chunk).__name__}: pass the text "
                "in it, for example chunk.choices[0].delta.content"
            )
        text = self._half + chunk
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return text[: len(text) - len(self._half)]

    def rest(self) -> str:
        """Return the half character that no chunk has completed; empty if there is none."""
        half, self._half = self._half, ""
        return half


async def iterate(
    chunks: AsyncIterable[str | None] | Iterable[str | None],
) -> AsyncIterator[str | None]:
    """Yield the chunks of a stream.

    Raises:
        TypeError: They cannot be iterated over.
    """
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    if not isinstance(chunks, Iterable):
        raise TypeError(
            f"ctx.stream needs texts that can be iterated over, got {type(chunks).__name__}"
            + (": await it first" if isinstance(chunks, Awaitable) else "")
        )
    for chunk in chunks:
        yield chunk
