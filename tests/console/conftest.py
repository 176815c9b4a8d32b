"""A journal in memory with an execution, and what was logged."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from tests.journal.driver import JournalDriver
from vertexkit.journal.memory import MemoryJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock


@pytest.fixture
def lines() -> Iterator[LogCapture]:
    """What was logged, instead of a log."""
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.reset_defaults()


@pytest.fixture
async def driver(lines: LogCapture) -> AsyncIterator[JournalDriver]:
    """An open journal in memory."""
    clock = VirtualClock()
    driver = JournalDriver(MemoryJournal(clock, JournalSettings()), clock)
    await driver.journal.open(driver)
    yield driver
    await driver.journal.close()
