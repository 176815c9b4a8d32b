"""Restores what tests change for the whole process."""

import gc
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
import structlog
from xdist.remote import Producer

from tests import collecting, distribution, measuring, run_limit, surroundings, tools
from tests.cli.shell import Shell
from tests.postgres_server import postgres_server as postgres_server
from vertexkit.telemetry import logs, redaction

DISABLED_PLUGINS = "-p no:schemathesis -p no:hypothesispytest"
"""For the pytest processes that tests start: plugins that authors do not have, and that take a second to
import."""

GENERATED_EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
"""Of each test whose inputs hypothesis generates, unless it says how many it needs."""

surroundings.clear()

# Its failed comparisons are shown as those of tests are.
pytest.register_assert_rewrite("tests.docs.reader")

# The gate generates the same inputs in each run: what it says depends on the code alone. With
# EXAMPLES they are fresh ones. On a loaded machine they may take long, which says nothing either.
hypothesis.settings.register_profile(
    "gate",
    max_examples=GENERATED_EXAMPLES,
    derandomize="EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("gate")


def pytest_configure(config: pytest.Config) -> None:
    """Run no test if a program that REQUIRE names is missing; watch the time of the run."""
    if sentences := tools.unmet(os.environ.get("REQUIRE", "")):
        raise pytest.UsageError("\n".join(sentences))
    if measuring.distributes(config):
        config.add_cleanup(measuring.pause_this_process())
    else:  # the processes that run the tests need the plugins, and are started by the one that distributes
        os.environ["PYTEST_ADDOPTS"] = DISABLED_PLUGINS
    run_limit.watch(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> distribution.Distribution | None:
    """Decide which tests run in the same process."""
    if config.getoption("dist") == "loadfile":
        return distribution.Distribution(config, log)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect the tests without measuring the coverage."""
    if measuring.distributes(session.config):
        return (yield)
    with collecting.cheaply(session.config):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Measure the coverage only where it is worth its time."""
    if measuring.measures(item):
        return (yield)
    with measuring.paused():
        return (yield)


@pytest.fixture(autouse=True, scope="module")
def collected_garbage() -> Iterator[None]:
    """Frees the garbage of a file's tests; later collections do not examine again what stays."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def restored_logging_of_module() -> Iterator[None]:
    """An app that the tests of a file share configures it, too."""
    with restored_logging():
        yield


@pytest.fixture(autouse=True)
def restored_logging_of_test() -> Iterator[None]:
    """What a fixture with a wider scope has configured is kept."""
    with restored_logging():
        yield


@contextmanager
def restored_logging() -> Iterator[None]:
    """A context that restores logging: serving an app configures it for the whole process."""
    root = logging.getLogger()
    handlers, level, bound = list(root.handlers), root.level, logs._bound_fields.get()
    held = redaction._current_token.get()
    configured = structlog.get_config() if structlog.is_configured() else None
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        if configured is None:
            structlog.reset_defaults()
        else:
            structlog.configure(**configured)
        logs._bound_fields.set(bound)
        redaction._current_token.set(held)
        redaction._secrets.clear()
        redaction._recent_tokens.clear()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A folder to run the command in."""
    shell = Shell(tmp_path)
    yield shell
    shell.close()
