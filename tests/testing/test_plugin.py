"""The pytest plugin, in a pytest process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

HELLO = """
import asyncio
from vertexkit import App, Context

app = App()

@app.block("hello")
async def hello(ctx: Context, name: str = "you") -> None:
    await ctx.send_message(f"Hello, {name}!")
    await ctx.send_message(str(ctx.remaining > 100))

@app.block("sleep")
async def sleep(ctx: Context) -> None:
    await asyncio.sleep(10)
    try:
        async with asyncio.timeout(10):
            await asyncio.Event().wait()
    except TimeoutError:
        pass

@app.block("hang")
async def hang(ctx: Context) -> None:
    await asyncio.Event().wait()
"""
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
OWN = "from hello import app\n"


def run(folder: Path, test: str, *options: str, ini: str = "") -> tuple[int, str]:
    """Run a test file in a folder with `hello.py`; return exit code and output."""
    (folder / "hello.py").write_text(HELLO)
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = .\n{ini}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


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
@pytest.mark.vertexkit(hello.app, timeout=50)
def test_hello(fake_dialog):
    assert fake_dialog.run_sync("hello", name="x").messages == ["Hello, x!", "False"]
"""


SETTINGS_ONLY = MARKED.replace(
    "import pytest, hello", "import pytest\nfrom hello import app"
).replace("hello.app, ", "")


@pytest.mark.parametrize(
    "test, ini",
    [
        pytest.param(MARKED, "", id="marker with settings"),
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
    assert "pytest.mark.vertexkit(app)" in output
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
    code, output = run(tmp_path, test, "-p", "no:asyncio", "-p", "no:hypothesispytest")
    assert code == 0, output


def test_other_async_tests_are_left_alone(tmp_path: Path) -> None:
    """The plugin does not touch an `async def` test without our fixtures."""
    code, output = run(tmp_path, "async def test_other():\n    pass\n", "-p", "no:asyncio")
    assert code == 1
    assert "async def functions are not natively supported" in output


FILES = {
    "test_own_fixture.py": """
import pytest

@pytest.fixture
def dialog(fake_dialog):
    return fake_dialog

@pytest.fixture
def greet(dialog):
    return dialog.run

async def test_one_fixture_between(dialog):
    assert (await dialog.run("hello")).ok

async def test_two_fixtures_between(greet):
    assert (await greet("hello")).ok

@pytest.mark.parametrize("name", ["Anna", "Oleg"])
async def test_parameters(greet, name):
    assert (await greet("hello", name=name)).messages[0] == f"Hello, {name}!"

class TestInClass:
    @pytest.fixture
    def own(self, greet):
        return greet

    async def test_method(self, own):
        assert (await own("hello")).ok
""",
    "test_marker.py": """
import pytest

@pytest.mark.usefixtures("fake_platform")
async def test_usefixtures():
    pass

@pytest.mark.usefixtures("fake_dialog")
class TestInClass:
    async def test_method(self, fake_platform):
        assert fake_platform.ledger == []
""",
    "test_autouse.py": """
import pytest

@pytest.fixture(autouse=True)
def platform(fake_platform):
    fake_platform.fail("send_message", status=503, retry_after=1)

async def test_autouse(fake_dialog):
    assert (await fake_dialog.run("hello")).retries == 1

@pytest.mark.parametrize("anyio_backend", [("asyncio", {"debug": True})])
async def test_own_backend(fake_dialog, anyio_backend):
    assert (await fake_dialog.run("hello")).retries == 1
""",
    "test_async_fixture.py": """
import asyncio, pytest

@pytest.fixture
async def greeted(fake_dialog):
    yield await fake_dialog.run("hello"), asyncio.get_running_loop()

async def test_async_fixture(greeted):
    run, loop = greeted
    assert run.ok
    assert loop is asyncio.get_running_loop()
""",
    "test_hypothesis.py": """
from hypothesis import HealthCheck, given, settings, strategies

@settings(max_examples=3, suppress_health_check=[*HealthCheck], deadline=None, database=None)
@given(strategies.text(min_size=1))
async def test_given(fake_dialog, name):
    assert (await fake_dialog.run("hello", name=name)).ok
""",
    "test_frozen.py": """
import asyncio, datetime, freezegun, pytest

@freezegun.freeze_time("2030-01-02")
async def test_frozen_by_decorator(fake_dialog, fake_platform):
    fake_platform.fail("send_message", status=429, retry_after=30)
    run = await fake_dialog.run("hello")
    assert run.ok and run.retries == 1
    assert run.messages[0].created_at - datetime.datetime(2030, 1, 2).timestamp() < 100_000

async def test_frozen_inside(fake_dialog):
    with freezegun.freeze_time("2030-01-02"):
        assert (await fake_dialog.run("sleep")).ok

async def test_frozen_with_ticks(fake_dialog):
    with freezegun.freeze_time("2030-01-02", tick=True):
        assert (await fake_dialog.run("sleep")).ok

async def test_frozen_handler_that_hangs(fake_dialog):
    fake_dialog._patience = 0.1
    with freezegun.freeze_time("2030-01-02"), pytest.raises(TimeoutError, match="did not end"):
        await fake_dialog.run("hang")
""",
}
TRIO_MODE = """
import inspect, pytest

def pytest_configure(config):
    config.addinivalue_line("markers", "trio: run with trio")

def pytest_collection_modifyitems(items):  # as pytest-trio does with `trio_mode`
    for item in items:
        if inspect.iscoroutinefunction(item.obj):
            item.add_marker(pytest.mark.trio)

def pytest_runtest_call(item):
    assert item.get_closest_marker("trio") is None, "trio would run this test"
"""


@pytest.mark.parametrize(
    "options, conftest",
    [
        (["-p", "no:asyncio"], ""),
        (["-o", "asyncio_default_fixture_loop_scope=function"], ""),
        (["-p", "no:asyncio", "-o", "anyio_mode=auto"], ""),
        (["-p", "no:asyncio"], TRIO_MODE),
    ],
    ids=["alone", "asyncio strict", "anyio auto", "trio_mode"],
)
def test_every_way_to_use_the_fixtures(tmp_path: Path, options: list[str], conftest: str) -> None:
    """Own fixtures, markers, autouse, async fixtures, hypothesis, frozen time: each test runs once."""
    for name, test in FILES.items():
        (tmp_path / name).write_text(OWN + test)
    (tmp_path / "conftest.py").write_text(conftest)
    code, output = run(tmp_path, "", "-p", "hypothesispytest", "--timeout=20", *options)
    assert code == 0, output
    assert "15 passed" in output


REFUSED = """
import pytest
from vertexkit import App, Context, http_client

app = App()

@app.block("asks")
async def asks(ctx: Context) -> None:
    try:
        async with http_client() as client:
            await client.get("http://rates.example/")
    except AssertionError:
        pass

async def test_refused(fake_dialog):
    await fake_dialog.run("asks")

async def test_misspelt(fake_dialog):
    await fake_dialog.run("ask")

@pytest.mark.trio
async def test_trio(fake_dialog):
    await fake_dialog.run("asks")
"""
RUNS_TRIO = """
import pytest

def pytest_configure(config):
    config.addinivalue_line("markers", "trio: run with trio")

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):  # as pytest-trio: a loop that is not asyncio's
    if pyfuncitem.get_closest_marker("trio"):
        names = pyfuncitem._fixtureinfo.argnames
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}).send(None)
        return True
"""


def test_what_a_test_must_not_do_is_explained(tmp_path: Path) -> None:
    """A request that nothing mocks, a misspelt block, another event loop: a sentence for each."""
    (tmp_path / "conftest.py").write_text(RUNS_TRIO)
    code, output = run(tmp_path, REFUSED, "-p", "no:asyncio")
    assert code == 1
    assert "the block made a request to rates.example, which the test does not mock" in output
    assert "there is no block 'ask'. Did you mean 'asks'?" in output
    assert "fake_dialog runs on asyncio, and this test runs on another event loop" in output
    assert "2 failed, 1 passed, 1 error" in output  # the block handled the refused request
