"""A served app for each module of tests, and what was logged."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from tests.ingress.served_app import Edge, Serve, served


@pytest.fixture(scope="module", autouse=True)
def lines() -> Iterator[LogCapture]:
    """What was logged, instead of a log; each test begins with none."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Serves an app with settings of its own: `async with serve(queue=1) as edge:`."""
    return served


@pytest.fixture(scope="module")
async def edge(lines: LogCapture) -> AsyncIterator[Edge]:
    """An app with the default settings, one for all tests of a module."""
    async with served() as edge:
        yield edge
