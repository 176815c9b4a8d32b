"""The fake platform in a thread of its own, for tests that have no event loop."""

from contextlib import AbstractContextManager

from tests.context.threads import in_thread
from tests.testing.platform.test_sockets import served
from vertexkit.testing import FakePlatform


def threaded(platform: FakePlatform) -> AbstractContextManager[str]:
    """Its URL, while it is served."""
    return in_thread(served(platform))
