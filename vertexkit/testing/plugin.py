"""The pytest plugin: `fake_dialog` and `fake_platform`.

An `async def` test that takes one of them just runs, by anyio's plugin on asyncio; one that
pytest-asyncio is in charge of is left to it.

Which app is tested: the one named by the marker `@pytest.mark.vertexkit(app)`, else the one called
`app` in the test's module, else the ini option `vertexkit_app = "module:app"`.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vertexkit.testing.dialog import FakeDialog
    from vertexkit.testing.platform.app import FakePlatform

FIXTURES = {"fake_dialog", "fake_platform"}
MEND = (
    "fake_dialog does not know which app to run. Import it in the test's module "
    "(`from hello import app`), mark the test (`@pytest.mark.vertexkit(app)`), or set "
    '`vertexkit_app = "hello:app"` in [tool.pytest.ini_options]'
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take in the ini option."""
    parser.addini("vertexkit_app", "the app that fake_dialog runs: MODULE:APP", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "vertexkit(app, **settings): the app that fake_dialog runs, and settings for it",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, obj: Any) -> None:
    """Have anyio's plugin, which comes with vertexkit, run the tests that take our fixtures."""
    if not inspect.iscoroutinefunction(obj) or not FIXTURES & {*inspect.signature(obj).parameters}:
        return
    marks = [*getattr(obj, "pytestmark", ()), *collector.iter_markers()]
    if "asyncio" in {mark.name for mark in marks} or _asyncio_mode(collector.config) == "auto":
        return
    pytest.mark.anyio(obj)
    pytest.mark.usefixtures("anyio_backend")(obj)
    if "anyio_backend" not in {mark.args[0] for mark in marks if mark.name == "parametrize"}:
        pytest.mark.parametrize("anyio_backend", ["asyncio"])(obj)  # trio may be installed too


@pytest.fixture
def fake_platform() -> "Iterator[FakePlatform]":
    """A strict platform on a virtual clock. What it did not like fails the test at its end."""
    from vertexkit.testing.clock import VirtualClock
    from vertexkit.testing.platform.app import FakePlatform

    platform = FakePlatform(clock=VirtualClock())
    yield platform
    platform.check()


@pytest.fixture
def fake_dialog(request: pytest.FixtureRequest, fake_platform: "FakePlatform") -> "FakeDialog":
    """Runs the app's blocks on `fake_platform`: `run = await fake_dialog.run("loan", amount=1)`.

    In a test that is no coroutine: `fake_dialog.run_sync(...)`.
    """
    from vertexkit.testing.dialog import FakeDialog

    app, settings = _app(request)
    return FakeDialog(app, fake_platform, **settings)


def _asyncio_mode(config: pytest.Config) -> str:
    """Of pytest-asyncio, if it is there."""
    if not config.pluginmanager.hasplugin("asyncio"):
        return ""
    return str(config.getoption("asyncio_mode", None) or config.getini("asyncio_mode"))


def _app(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    from vertexkit.app import App

    marker = request.node.get_closest_marker("vertexkit")
    settings = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:
        app = marker.args[0]
    else:
        app = getattr(request.node.getparent(pytest.Module).obj, "app", None)
        named = request.config.getini("vertexkit_app")
        if not isinstance(app, App) and named:
            module, _, attribute = named.partition(":")
            app = getattr(import_module(module), attribute or "app", None)
    if not isinstance(app, App):
        raise pytest.UsageError(MEND)
    return app, settings
