"""Pieces of a growing text, whichever way they come."""

from collections.abc import AsyncIterable, Iterable


async def each(chunks: AsyncIterable[str] | Iterable[str]) -> AsyncIterable[str]:
    """The pieces, one after the other."""
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    for chunk in chunks:
        yield chunk
