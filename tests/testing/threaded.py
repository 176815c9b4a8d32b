"""The fake platform in a thread of its own, for tests that have no event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.testing.test_sockets import served
from vertexkit.testing import FakePlatform


@contextmanager
def threaded(platform: FakePlatform) -> Iterator[str]:
    """Its URL, while it is served."""
    said: list[str] = []
    ready, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with served(platform) as base:
            said.append(base)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        ready.wait(10)
        yield said[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
