"""Threads: an event loop in one of its own, and handlers that are not `async`."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from tests.waiting import PATIENCE_SECONDS
from vertexkit.testing import FakeDialog, Run

T = TypeVar("T")


@contextmanager
def in_thread(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter an async context manager in another thread, and yield its value."""
    opened: list[T] = []
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def hold() -> None:
        async with context as value:
            opened.append(value)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(hold()))
    thread.start()
    try:
        assert ready.wait(PATIENCE_SECONDS)
        yield opened[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the event loop of the thread does not end"
        loop.close()


async def run_past_deadline(
    dialog: FakeDialog, block: str, started: threading.Event, **inputs: Any
) -> Run:
    """Run a block whose handler waits in its thread, until its deadline has passed.

    Args:
        dialog: Its clock is virtual.
        block: Its timeout is at most a minute.
        started: Set by the handler.
        inputs: The block's inputs.
    """
    running = asyncio.create_task(dialog.run(block, **inputs))
    assert await asyncio.to_thread(started.wait, PATIENCE_SECONDS), "the handler does not start"
    await dialog.clock.sleep(60)
    return await running
