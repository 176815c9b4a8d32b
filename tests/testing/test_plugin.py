"""The pytest plugin, in a pytest process of its own."""

from pathlib import Path

import pytest

from tests.testing.pytest_run import OWN, run, run_in_new_process

pytestmark = pytest.mark.unmeasured

ASYNC = """
async def test_hello(fake_dialog, fake_platform):
    run = await fake_dialog.run("hello", name="Anna")
    assert run.messages == ["Hello, Anna!", "True"]
    assert fake_dialog.platform is fake_platform
"""
SYNC = """
def test_hello(fake_dialog):
    assert fake_dialog.run_sync("hello").ok
"""


@pytest.mark.parametrize(
    "test, options",
    [
        pytest.param(ASYNC, ["-p", "no:asyncio"], id="no mark and no other plugin"),
        pytest.param(ASYNC, [], id="no mark beside pytest-asyncio in strict mode"),
        pytest.param(ASYNC, ["-o", "asyncio_mode=auto"], id="pytest-asyncio in auto mode"),
        pytest.param(ASYNC, ["-o", "anyio_mode=auto"], id="anyio in auto mode"),
        pytest.param(
            "import pytest\n@pytest.mark.asyncio" + ASYNC, [], id="marked for pytest-asyncio"
        ),
        pytest.param(
            "import pytest\n@pytest.mark.anyio" + ASYNC, ["-p", "no:asyncio"], id="marked for anyio"
        ),
        pytest.param(SYNC, ["-p", "no:asyncio"], id="plain"),
    ],
)
def test_a_test_runs_once(tmp_path: Path, test: str, options: list[str]) -> None:
    """A test passes once, `async def` or not, marked or not, with each combination of plugins."""
    ini = "asyncio_default_fixture_loop_scope = function\n" if "no:asyncio" not in options else ""
    code, output = run(tmp_path, OWN + test, *options, ini=ini)
    assert code == 0, output
    assert "1 passed" in output


MARKED = """
import pytest, hello
@pytest.mark.vertexkit(app=hello.app, timeout=50)
def test_hello(fake_dialog):
    assert fake_dialog.run_sync("hello", name="x").messages == ["Hello, x!", "False"]
"""


SETTINGS_ONLY = MARKED.replace(
    "import pytest, hello", "import pytest\nfrom hello import app"
).replace("app=hello.app, ", "")


@pytest.mark.parametrize(
    "test, ini",
    [
        pytest.param(MARKED, "", id="marker with settings"),
        pytest.param(MARKED.replace("app=", ""), "", id="marker with the app by position"),
        pytest.param(SETTINGS_ONLY, "", id="marker with nothing but settings"),
        pytest.param(SYNC, "vertexkit_app = hello:app\n", id="ini option"),
        pytest.param(
            OWN + SYNC, "vertexkit_app = nowhere:app\n", id="the module's own has precedence"
        ),
    ],
)
def test_the_app_is_found(tmp_path: Path, test: str, ini: str) -> None:
    """The app comes from the marker, from the module's `app`, or from the ini option."""
    code, output = run(tmp_path, test, "-p", "no:asyncio", "--strict-markers", ini=ini)
    assert code == 0, output


def test_without_an_app_the_error_says_how_to_name_it(tmp_path: Path) -> None:
    """The error shows each of the three ways."""
    code, output = run(tmp_path, SYNC, "-p", "no:asyncio")
    assert code == 1
    assert "from hello import app" in output
    assert "pytest.mark.vertexkit(app=app)" in output
    assert 'vertexkit_app = "hello:app"' in output


@pytest.mark.parametrize(
    "statements, problem",
    [
        ('fake_platform.fail("complete", status=500, times=9, after=1)', "was not used"),
        ("fake_dialog.run_sync('hello'); fake_platform.violations", ""),
    ],
)
def test_problems_of_the_platform_fail_the_test(
    tmp_path: Path, statements: str, problem: str
) -> None:
    """The test fails at teardown, also for a fault that was ordered and never happened."""
    test = f"{OWN}def test_it(fake_dialog, fake_platform):\n    {statements}\n"
    code, output = run(tmp_path, test, "-p", "no:asyncio")
    assert (code == 0) == (not problem), output
    assert problem in output


LEFT_ALONE = """
import asyncio, pytest, pytest_asyncio

@pytest_asyncio.fixture(loop_scope="module")
async def loop():
    return asyncio.get_running_loop()

@pytest.mark.asyncio(loop_scope="module")
async def test_hello(fake_dialog, loop, request):
    assert asyncio.get_running_loop() is loop
    assert "anyio_backend" not in request.fixturenames
    assert (await fake_dialog.run("hello")).ok
"""


@pytest.mark.parametrize(
    "mode, test",
    [
        ("strict", LEFT_ALONE),
        ("auto", LEFT_ALONE.replace('@pytest.mark.asyncio(loop_scope="module")', "")),
    ],
    ids=["marked", "auto mode"],
)
def test_pytest_asyncio_keeps_its_tests(tmp_path: Path, mode: str, test: str) -> None:
    """The test runs in the event loop of pytest-asyncio's fixtures, without anyio."""
    ini = f"asyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
    if mode == "auto":
        ini += "asyncio_default_test_loop_scope = module\n"
    code, output = run(tmp_path, OWN + test, ini=ini)
    assert code == 0, output
    assert "1 passed" in output


IN_CLASSES = """
class TestHello:
    async def test_hello(self, fake_dialog):
        assert (await fake_dialog.run("hello")).ok

class TestAgain(TestHello):
    pass
"""
PARAMETRIZED = """
import pytest
@pytest.fixture
async def met(fake_dialog):
    return await fake_dialog.run("hello", name="Ira")

@pytest.mark.parametrize("name", ["Anna", "Oleg"])
async def test_hello(fake_dialog, met, name):
    assert met.messages[0] == "Hello, Ira!"
    assert (await fake_dialog.run("hello", name=name)).messages[0] == f"Hello, {name}!"
"""


@pytest.mark.parametrize("test", [IN_CLASSES, PARAMETRIZED], ids=["classes", "parameters"])
def test_the_plugin_works_with_other_features_of_pytest(tmp_path: Path, test: str) -> None:
    """Classes, subclasses, parameters and async fixtures: each case runs once."""
    code, output = run(tmp_path, OWN + test, "-p", "no:asyncio")
    assert code == 0, output
    assert "2 passed" in output


def test_a_violation_fails_the_test(tmp_path: Path) -> None:
    """An invalid request to the platform fails the test at teardown."""
    test = """
import anyio, httpx
def test_it(fake_platform):
    async def send_request():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(fake_platform), base_url="http://p"
        ) as client:
            await client.post("/api/vertex/v1/complete", json={"token": "x"})
    anyio.run(send_request)
"""
    code, output = run(tmp_path, test, "-p", "no:asyncio")
    assert code == 1
    assert "FakePlatform found 1 violation" in output


def test_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    """Every pytest run in the environment loads the plugin: it must start fast."""
    test = """
import sys
def test_light():
    heavy = {"aiohttp", "starlette", "pydantic", "structlog", "httpx", "vertexkit.app"}
    assert not heavy & {*sys.modules}
"""
    others = ("asyncio", "hypothesispytest", "pytest_httpx", "respx")
    code, output = run_in_new_process(tmp_path, test, *(f"-pno:{name}" for name in others))
    assert code == 0, output


def test_other_async_tests_are_left_alone(tmp_path: Path) -> None:
    """The plugin does not touch an `async def` test without our fixtures."""
    code, output = run(tmp_path, "async def test_other():\n    pass\n", "-p", "no:asyncio")
    assert code == 1
    assert "async def functions are not natively supported" in output
