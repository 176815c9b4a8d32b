"""The fake platform behind a real HTTP server, in this event loop or in a thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

import uvicorn

from tests.context.threads import in_thread
from vertexkit.server.listen import bind
from vertexkit.testing import FakePlatform


@asynccontextmanager
async def served(platform: FakePlatform) -> AsyncIterator[str]:
    """Serve the platform with uvicorn on a free port; yield its URL."""
    with bind("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(platform, log_level="critical"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


def served_in_thread(platform: FakePlatform) -> AbstractContextManager[str]:
    """Serve the platform from a thread of its own, for tests without an event loop."""
    return in_thread(served(platform))
