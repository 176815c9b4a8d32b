"""What a failing test shows of an error in a handler."""

import asyncio
import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from vertexkit import App, BlockFailed, Context, SyncContext
from vertexkit.testing import FakeDialog
from vertexkit.testing.failures import describe, own_traceback

PASSWORD = "hunter2"
LINE = 'raise KeyError("missing")  # the line of the error'

app = App()


def fail() -> None:
    password = PASSWORD
    assert password
    raise KeyError("missing")  # the line of the error


@app.block("raises")
async def raises(ctx: Context) -> None:
    fail()


@app.block("plain")
def plain(ctx: SyncContext) -> None:
    fail()


@app.block("step")
async def step(ctx: Context) -> None:
    await ctx.step("fail", fail)


@app.block("group")
async def group(ctx: Context) -> None:
    async def failing() -> None:
        fail()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(failing())


@app.block("chained")
async def chained(ctx: Context) -> None:
    try:
        fail()
    except KeyError as error:
        raise ValueError("cannot read") from error


@app.block("library")
async def library(ctx: Context) -> None:
    await ctx.send_message("")


@app.block("failed")
async def failed(ctx: Context) -> None:
    raise BlockFailed("no_such_city", "Unknown city.")


@app.block("fine")
async def fine(ctx: Context) -> None:
    await ctx.send_message("Hi")


@pytest.fixture
def unconfigured_logs() -> Iterator[None]:
    """The logs of a project that does not configure structlog."""
    config = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    if config is not None:
        structlog.configure(**config)


@pytest.mark.unmeasured
@pytest.mark.parametrize("block", ["raises", "plain", "step", "group", "chained", "library"])
async def test_a_failing_handler_shows_its_own_frames(
    block: str, unconfigured_logs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the frames of the author's code, without locals, in a few lines."""
    run = await FakeDialog(app).run(block)
    assert not run.ok
    output = capsys.readouterr().out
    frames = re.findall(r'File "([^"]+)", line \d+, in', output)
    assert frames
    assert {Path(name).name for name in frames} == {Path(__file__).name}
    assert PASSWORD not in output
    assert len(output.splitlines()) < 40
    assert "╭" not in output


@pytest.mark.parametrize(
    "block, error",
    [
        ("raises", "KeyError: 'missing'"),
        ("plain", "KeyError: 'missing'"),
        ("step", "KeyError: 'missing'"),
        ("chained", "ValueError: cannot read"),
        (
            "library",
            "TypeError: send_message needs a text of at least 1 character, got an empty string",
        ),
    ],
)
async def test_an_assertion_names_the_line_of_the_error(block: str, error: str) -> None:
    """pytest shows the representation of a run: one line, first the place and the error."""
    run = await FakeDialog(app).run(block)
    assert re.match(
        rf"<Run completed internal at [\w/]*test_failures\.py:\d+: {re.escape(error)}; messages=\[\]",
        repr(run),
    ), repr(run)
    assert "\n" not in repr(run)
    assert isinstance(run.error, Exception)


async def test_other_runs_are_short_too() -> None:
    """Success, a failure that the block wanted, and a rejected call."""
    dialog = FakeDialog(app)
    run = await dialog.run("fine")
    assert repr(run) == "<Run completed ok; messages=['Hi']; data=None>"
    assert run.error is None
    run = await dialog.run("failed")
    assert repr(run).startswith("<Run completed no_such_city at ")
    run = await dialog.call("unknown", {}, dialog.platform.issue("unknown"))
    assert repr(run).startswith("<Run 404 unknown_block; messages=[]; data={")


async def test_an_error_that_a_later_run_repaired_is_not_shown() -> None:
    """`error` belongs to the last run of the handler."""
    app = App()

    @app.block("repairs")
    async def repairs(ctx: Context) -> None:
        try:
            await ctx.step("one", lambda: 1)
        finally:
            if ctx.attempt == 1:
                raise KeyError("x")

    run = await FakeDialog(app).run("repairs", crash_after=1)
    assert run.ok
    assert run.error is None


def test_a_long_error_is_cut() -> None:
    """The place comes first, and the text is one line."""
    with pytest.raises(ValueError, match="line") as caught:
        raise ValueError("line\n" * 100)
    text = describe(caught.value)
    assert re.match(r"at \S*test_failures\.py:\d+: ValueError: line line ", text)
    assert len(text) < 240


def test_an_error_without_own_frames_shows_all() -> None:
    """An error in a package that no code of the author called."""
    namespace: dict[str, Any] = {}
    source = compile(
        "def fail():\n    raise KeyError('x')\n", f"{sys.prefix}/site-packages/x.py", "exec"
    )
    exec(source, namespace)
    with pytest.raises(KeyError) as caught:
        namespace["fail"]()
    own = caught.value.__traceback__
    error = caught.value.with_traceback(own.tb_next if own else None)
    assert "site-packages/x.py" in own_traceback(error)


async def test_a_renderer_of_the_author_s_own_is_kept(unconfigured_logs: None) -> None:
    """Only structlog's default formatter is replaced, and only while a dialog is used."""
    stream = StringIO()

    def write(sio: Any, _: Any) -> None:
        sio.write("my own format")

    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=write)
    structlog.configure(processors=[renderer], logger_factory=structlog.PrintLoggerFactory(stream))
    await FakeDialog(app).run("raises")
    assert "my own format" in stream.getvalue()
    default = structlog.dev.ConsoleRenderer(colors=False)
    before = default.exception_formatter
    structlog.configure(processors=[default])
    await FakeDialog(app).run("raises")
    assert default.exception_formatter is before
