"""Ctrl+C ends each command that runs until it is stopped, and prints no traceback."""

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import vertexkit.cli.main
from tests.cli.shell import Shell

WAITS = """
from vertexkit import App
app = App()
@app.block("waits")
async def waits(ctx) -> None:
    print("it waits", flush=True)
    await ctx.sleep(3600)
"""


@pytest.mark.parametrize(
    "arguments, printed, codes",
    [
        (["run", "--port", "0"], "/blocks/hello", {0, -signal.SIGINT, 130}),
        (["platform", "--port", "0"], "To call a block", {0, 130}),
        (["capture", "--port", "0"], "Tokens are masked", {0, 130}),
        (["dev", "--port", "0", "--no-open"], "/blocks/hello", {0, 130}),
        (["dev", "--no-open", "--port", "0"], "watching", {0, 130}),  # the app still starts
        (["trigger", "waits.py"], "it waits", {130}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_ctrl_c_ends_a_command(
    shell: Shell, arguments: list[str], printed: str, codes: set[int]
) -> None:
    """The signal is sent when the command has printed that it is ready.

    Exit code 130: the signal came before the server that the command starts handles it.
    """
    (shell.folder / "waits.py").write_text(WAITS)
    shell.fork_python()
    process = shell.start(
        *arguments, platform_url="http://127.0.0.1:9/api", journal="memory:", log_format="console"
    )
    process.wait_for(printed)
    code = process.end(signal.SIGINT)
    output = "\n".join(process.lines)
    assert code in codes, output
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output


@pytest.fixture
def keyboard() -> Iterator[None]:
    """Ctrl+C is not ignored: pytest-xdist ignores it."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@pytest.mark.parametrize("command", ["platform", "capture"])
def test_ctrl_c_just_before_the_event_loop_runs(
    command: str,
    keyboard: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """asyncio has set its handler and does not count signals yet: it raises CancelledError."""
    set_handler = signal.signal

    def set_and_interrupt(number: int, handler: Any) -> Any:
        earlier = set_handler(number, handler)
        if number == signal.SIGINT and handler is not signal.default_int_handler:
            monkeypatch.setattr(signal, "signal", set_handler)
            signal.raise_signal(signal.SIGINT)
        return earlier

    monkeypatch.setattr(signal, "signal", set_and_interrupt)
    monkeypatch.setattr(sys, "argv", ["vertexkit", command, "--port", "0"])
    with pytest.raises(SystemExit) as caught:
        vertexkit.cli.main.main()
    assert caught.value.code in {0, 130}, capsys.readouterr()


@pytest.mark.parametrize(
    "text, problem",
    [
        ("def broken(:\n    pass\n", "hello.py:1: SyntaxError"),
        ("import nonsense\n", "hello.py:1: ModuleNotFoundError: No module named 'nonsense'"),
        ("x = 1\n", "hello defines no app"),
    ],
    ids=["syntax", "import", "app"],
)
def test_a_broken_start_of_dev_prints_the_authors_error_alone(
    shell: Shell, text: str, problem: str
) -> None:
    """No frame of vertexkit or of the importer is shown, and no error of Python's end."""
    (shell.folder / "hello.py").write_text(text)
    shell.fork_python()
    process = shell.start("dev", "--port", "0", "--no-open")
    assert "broken" in process.wait_for(problem)
    process.wait_for("Fix and save the file")
    assert process.end(signal.SIGINT) == 0
    printed = "\n".join(process.lines)
    for other in ("Fatal Python error", "importlib", "vertexkit/", "KeyboardInterrupt"):
        assert other not in printed.replace(str(shell.folder), "")
