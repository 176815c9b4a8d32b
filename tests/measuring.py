"""Tests whose coverage is not measured: with the measurement they take almost twice as long."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLES = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
"""With one of them, a new Python process measures its coverage."""


def stop() -> None:
    """Stop measuring this thread, those that it starts, and new processes."""
    sys.settrace(None)
    threading.settrace(None)
    for name in VARIABLES:
        os.environ.pop(name, None)


def is_stopped() -> bool:
    """Whether new processes are not measured."""
    return not any(name in os.environ for name in VARIABLES)


@contextmanager
def paused() -> Iterator[None]:
    """Do not measure what happens meanwhile."""
    traces = sys.gettrace(), threading.gettrace()
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    stop()
    try:
        yield
    finally:
        os.environ.update(variables)
        threading.settrace(traces[1])
        sys.settrace(traces[0])
