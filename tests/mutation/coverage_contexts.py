"""A pytest plugin that records which test runs which line, and how long each test takes.

COVERAGE_CONTEXTS=durations.json coverage run -m pytest -p tests.mutation.coverage_contexts
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

from tests import measuring

_durations: dict[str, float] = {}


def pytest_configure() -> None:
    """Measure each test, whatever it costs."""
    measuring.every_test = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the context of coverage for the test, its fixtures included."""
    running = coverage.Coverage.current()
    assert running is not None
    running.switch_context(item.nodeid)
    started = time.process_time()
    result = yield
    _durations[item.nodeid] = time.process_time() - started
    running.switch_context("")
    return result


def pytest_sessionfinish() -> None:
    """Write the seconds of processor time of each test."""
    Path(os.environ["COVERAGE_CONTEXTS"]).write_text(json.dumps(_durations), encoding="utf-8")
