"""Ways to use the fixtures of the plugin, and mistakes, in a pytest process of its own."""

from pathlib import Path

import pytest

from tests.testing.pytest_run import OWN, run

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
@given(strategies.sampled_from(["Anna", "Oleg"]))
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
    with freezegun.freeze_time("2030-01-02"):
        assert (await fake_dialog.run("hang")).outcome.code == "timeout"

@pytest.mark.vertexkit(virtual_sleep=False)
async def test_frozen_handler_that_hangs_in_real_time(fake_dialog):
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


@pytest.mark.unmeasured
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
    code, output = run(tmp_path, "", "-p", "hypothesispytest", "--timeout=90", *options)
    assert code == 0, output
    assert "16 passed" in output


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
