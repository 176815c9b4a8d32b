"""A journal of each kind, open, with a clock that the test controls."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journal.driver import JOURNALS, JournalDriver
from vertexkit.testing import VirtualClock


@pytest.fixture(params=sorted(JOURNALS))
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JournalDriver]:
    clock = VirtualClock()
    driver = JournalDriver(JOURNALS[request.param](clock, tmp_path), clock)
    await driver.journal.open(driver)
    yield driver
    await driver.journal.close()
