"""Tests whose coverage is not measured: with the measurement they take almost twice as long."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import coverage
import pytest

VARIABLES = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
"""With one of them, a new Python process measures its coverage."""
MEASURED_CASES = 8
"""Of a test with more parameters, as many cases are measured."""
every_test = False
"""Those that are marked `unmeasured`, too: `make mutants` has to know which tests run a line."""
_paused: dict[str, str] = {}
"""Those that are removed for now."""
_cases: Counter[tuple[str, ...]] = Counter()
"""How many cases of each test have been run, for each of the fixtures' parameters."""


def pause_this_process() -> Callable[[], None]:
    """Stop measuring this thread and those that it starts; return what resumes it."""
    traces = sys.gettrace(), threading.gettrace()

    def resume() -> None:
        threading.settrace(traces[1])
        sys.settrace(traces[0])

    sys.settrace(None)
    threading.settrace(None)
    return resume


def stop() -> None:
    """Stop measuring this process and those that it starts; nothing is saved when it exits."""
    pause_this_process()
    if (measured := coverage.Coverage.current()) is not None:
        measured.save = lambda: None  # pyrefly: ignore[method-assign]
    for name in VARIABLES:
        os.environ.pop(name, None)


def measures(item: pytest.Item) -> bool:
    """Whether the coverage of a test is measured.

    It is not if the test is marked `unmeasured`, if its inputs are generated, or if enough of its
    cases have been measured. The parameters of fixtures, for example the kinds of the journal, run
    different code: the cases are counted for each of them.
    """
    if every_test:
        return True
    if any(item.get_closest_marker(name) for name in ("unmeasured", "hypothesis")):
        return False
    call = getattr(item, "callspec", None)
    if call is None:
        return True
    own = {
        name.strip()
        for marker in item.iter_markers("parametrize")
        for name in (
            marker.args[0].split(",") if isinstance(marker.args[0], str) else marker.args[0]
        )
    }
    fixed = [f"{name}={index}" for name, index in call.indices.items() if name not in own]
    test = item.nodeid.partition("[")[0], *sorted(fixed)
    _cases[test] += 1
    return _cases[test] <= MEASURED_CASES


def distributes(config: pytest.Config) -> bool:
    """Whether this process only hands tests out to others that run them."""
    return bool(getattr(config.option, "tx", None)) and not hasattr(config, "workerinput")


def is_stopped() -> bool:
    """Whether new processes are not measured."""
    return not any(name in os.environ for name in VARIABLES)


@contextmanager
def paused() -> Iterator[None]:
    """Do not measure what happens meanwhile."""
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    resume = pause_this_process()
    for name in variables:
        del os.environ[name]
    _paused.update(variables)
    try:
        yield
    finally:
        _paused.clear()
        os.environ.update(variables)
        resume()


@contextmanager
def for_all_tests() -> Iterator[None]:
    """Measure a process that is started now, although this test is not measured: others use it."""
    os.environ.update(_paused)
    try:
        yield
    finally:
        for name in _paused:
            del os.environ[name]
