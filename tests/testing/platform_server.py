"""The fake platform behind a real HTTP server, in this event loop or in a thread."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from starlette.types import ASGIApp

from tests import http_server
from tests.context.threads import in_thread


@asynccontextmanager
async def served(platform: ASGIApp) -> AsyncIterator[str]:
    """Serve the platform on a free port; yield its URL."""
    async with http_server.served(platform) as port:
        yield f"http://127.0.0.1:{port}"


def served_in_thread(platform: ASGIApp) -> AbstractContextManager[str]:
    """Serve the platform from a thread of its own, for tests without an event loop."""
    return in_thread(served(platform))
