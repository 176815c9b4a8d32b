"""The pytest plugin: `fake_dialog`, `fake_platform` and `fake_model`.

An `async def` test that uses one of them needs no marker: anyio's plugin runs it on asyncio. Tests
that pytest-asyncio runs are left to pytest-asyncio.

The app under test is the one of the marker `@pytest.mark.vertexkit(app=app)`, otherwise the variable
`app` of the test's module, otherwise that of the ini option `vertexkit_app = "module:app"`.
"""

import inspect
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vertexkit.testing.dialog import FakeDialog
    from vertexkit.testing.fake_model import FakeModel
    from vertexkit.testing.platform.app import FakePlatform

FIXTURES = {"fake_dialog", "fake_platform"}
BACKEND = "anyio_backend"
"""The fixture of anyio's plugin that names the kind of event loop."""
LEFT_TO_OTHERS = {"asyncio", "trio"}
"""Markers of tests that another plugin runs."""
NO_APP = (
    "fake_dialog found no app to run. Import it in the test's module "
    "(`from hello import app`), mark the test (`@pytest.mark.vertexkit(app=app)`), or set "
    '`vertexkit_app = "hello:app"` in [tool.pytest.ini_options]'
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini options."""
    parser.addini("vertexkit_app", "the app that fake_dialog runs, as MODULE:APP", default="")
    parser.addini(
        "vertexkit_allow_hosts",
        "hosts that http_client may send requests to in tests, such as *.example",
        type="args",
        default=(),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in (
        "vertexkit(app, **settings): the app that fake_dialog runs, and its settings",
        "vertexkit_allow_hosts(*hosts): hosts that http_client may send requests to",
    ):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let anyio's plugin, a dependency of vertexkit, run the tests that use our fixtures on asyncio.

    `metafunc.fixturenames` also has the fixtures that are used by other fixtures or by a marker.
    """
    names, marks = metafunc.fixturenames, list(metafunc.definition.iter_markers())
    if not _is_async(metafunc.function) or not FIXTURES & {*names}:
        return
    if LEFT_TO_OTHERS & {mark.name for mark in marks} or _asyncio_mode(metafunc.config) == "auto":
        return
    if BACKEND not in names:
        names.append(BACKEND)
    if not any(BACKEND in str(mark.args[0]) for mark in marks if mark.name == "parametrize"):
        metafunc.definition.add_marker(pytest.mark.parametrize(BACKEND, ["asyncio"]))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Request anyio's fixture, which makes its plugin run the test, for the tests from above."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    names = getattr(item, "fixturenames", [])
    if BACKEND in parameters and BACKEND not in names:
        names.insert(0, BACKEND)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    items: list[pytest.Item],
) -> Generator[None, object, object]:
    """Keep pytest-trio, if `trio_mode` is on, from running the tests that run on asyncio."""
    ours = [
        item
        for item in items
        if FIXTURES & {*getattr(item, "fixturenames", ())}
        and item.get_closest_marker("trio") is None
    ]
    result = yield
    for item in ours:
        item.own_markers[:] = [mark for mark in item.own_markers if mark.name != "trio"]
    return result


@pytest.fixture
def fake_platform(request: pytest.FixtureRequest) -> "Iterator[FakePlatform]":
    """A strict fake platform on a virtual clock; its violations fail the test at teardown.

    Requests of `http_client` to other hosts are refused, unless the test mocks or allows them.
    """
    from vertexkit.testing.clock import VirtualClock
    from vertexkit.testing.failures import readable_tracebacks
    from vertexkit.testing.network import NetworkGuard
    from vertexkit.testing.platform.app import FakePlatform

    allowed = [*request.config.getini("vertexkit_allow_hosts")]
    for marker in request.node.iter_markers("vertexkit_allow_hosts"):
        allowed += marker.args
    guard = NetworkGuard(allowed)
    platform = FakePlatform(clock=VirtualClock())
    with guard.active(), readable_tracebacks():
        yield platform
    platform.check()
    guard.check()


@pytest.fixture
def fake_dialog(request: pytest.FixtureRequest, fake_platform: "FakePlatform") -> "FakeDialog":
    """A dialog that runs the app's blocks: `run = await fake_dialog.run("loan", amount=1)`.

    In a test without `async`: `fake_dialog.run_sync(...)`.
    """
    from vertexkit.testing.dialog import FakeDialog

    app, settings = _find_app(request)
    return FakeDialog(app, fake_platform, **settings)


@pytest.fixture
def fake_model(monkeypatch: pytest.MonkeyPatch) -> "Iterator[FakeModel]":
    """A fake server of language models; `OPENAI_BASE_URL` and `OPENAI_API_KEY` are its own.

    A request that the test has given no answer for fails the test at teardown.
    """
    from vertexkit.testing.fake_model import API_KEY, FakeModel

    with FakeModel() as model:
        monkeypatch.setenv("OPENAI_BASE_URL", model.url)
        monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
        yield model
    model.check()


def _asyncio_mode(config: pytest.Config) -> str:
    """Return the mode of pytest-asyncio, or an empty text if it is not installed."""
    if not config.pluginmanager.hasplugin("asyncio"):
        return ""
    return str(config.getoption("asyncio_mode", None) or config.getini("asyncio_mode"))


def _is_async(function: Any) -> bool:
    """Return whether a test is `async def`, also under hypothesis's `@given`."""
    hypothesis = getattr(function, "hypothesis", None)
    return inspect.iscoroutinefunction(getattr(hypothesis, "inner_test", function))


def _find_app(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    from vertexkit.app import App

    marker = request.node.get_closest_marker("vertexkit")
    settings = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:  # pytest's types take it for the function that is marked
        app = marker.args[0]
    elif "app" in settings:
        app = settings.pop("app")
    else:
        app = getattr(request.node.getparent(pytest.Module).obj, "app", None)
        target = request.config.getini("vertexkit_app")
        if not isinstance(app, App) and target:
            module, _, attribute = target.partition(":")
            app = getattr(import_module(module), attribute or "app", None)
    if not isinstance(app, App):
        raise pytest.UsageError(NO_APP)
    return app, settings
