"""What every test leaves as it was."""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from vertexkit.telemetry import logs, redaction

# For pytest as tests start it: what an author has not got takes a second to import each time.
ABSENT = "-p no:schemathesis -p no:hypothesispytest"
os.environ["PYTEST_ADDOPTS"] = ABSENT


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Whoever serves an app sets logging up for the whole process."""
    root = logging.getLogger()
    handlers, level, bound = list(root.handlers), root.level, logs._bound.get()
    held = redaction._held.get()
    configured = structlog.get_config() if structlog.is_configured() else None
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    if configured is None:
        structlog.reset_defaults()
    else:  # a fixture that lives longer than this test
        structlog.configure(**configured)
    logs._bound.set(bound)
    redaction._held.set(held)
    redaction._secrets.clear()
    redaction._recent.clear()
