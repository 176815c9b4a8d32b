"""What the commands print: JSON that every encoding holds, and texts without control characters."""

import contextlib
import io
import json
from typing import Any

import pytest
from rich.cells import cell_len
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.table import Table as Columns

HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202eb\x08\x7f\r\u061c\u2066"
"""Clears the screen, sets the title, colours, turns the text round, deletes a character."""
CONTROLS = set("\x1b\x07\x9b\u202e\x08\x7f\r\u061c\u2066")
VALUE: dict[str, Any] = {
    "name": "Аня 👍 ₽ שלום",
    "cut \ud83d": ["cut \udc4d", {"deep": "\ud83d"}],
    HOSTILE: HOSTILE,
    "n": 1.5,
}
ENCODINGS = ["utf-8", "utf-16", "cp1251", "cp866", "koi8-r", "latin-1", "ascii", "gb18030"]


@pytest.fixture(params=ENCODINGS)
def stream(request: pytest.FixtureRequest) -> io.TextIOWrapper:
    """Standard output as the command has it, in an encoding of a terminal or of a pipe."""
    return io.TextIOWrapper(io.BytesIO(), request.param, errors="replace", newline="")


def written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    data = stream.buffer.getvalue()  # pyrefly: ignore[missing-attribute]
    return str(data.decode(stream.encoding))


@pytest.mark.parametrize("indent", [None, 2])
def test_json_has_each_text_in_every_encoding(stream: io.TextIOWrapper, indent: int | None) -> None:
    """What the encoding lacks is escaped; halves of characters become U+FFFD."""
    with contextlib.redirect_stdout(stream):
        output.print_json(VALUE, indent=indent)
    text = written(stream)
    assert json.loads(text) == {
        "name": VALUE["name"],
        "cut \ufffd": ["cut \ufffd", {"deep": "\ufffd"}],
        HOSTILE: HOSTILE,
        "n": 1.5,
    }
    assert not set(text) & CONTROLS
    assert ("Аня" in text) == (stream.encoding in {"utf-8", "utf-16"})
    assert text.count("\n") == (1 if indent is None else text.count("\n"))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_json_has_no_infinity(stream: io.TextIOWrapper, number: float) -> None:
    """What JSON has no form for is null."""
    with contextlib.redirect_stdout(stream):
        output.print_json({"a": [number], "b": 1.0})
    assert json.loads(written(stream), parse_constant=pytest.fail) == {"a": [None], "b": 1.0}


@pytest.mark.parametrize("terminal", [True, False])
def test_a_console_prints_no_control_characters(terminal: bool) -> None:
    """Whatever prints the text: plain, styled, in a table, in a live display."""
    file = io.StringIO()
    console = output.SafeConsole(
        file=file,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        _environ={"TERM": "xterm"},
    )
    assert isinstance(output.console(), output.SafeConsole)
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    console.print(HOSTILE, soft_wrap=True)
    console.print(Text(HOSTILE, "red").append(HOSTILE, "bold"), soft_wrap=True)
    console.print(table)
    with Live(Text(HOSTILE), console=console, transient=True):
        pass
    text = file.getvalue()
    for code in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\x08", "\x7f", "\u061c", "\u2066"):
        assert code not in text.replace("\x1b[2K", "")
    assert ("\x1b[31m" in text) == terminal
    assert "title" in text


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks and tabs of a message are kept."""
    output.console().print(Text("a\n\tb\r\nc"), soft_wrap=True)
    output.echo("a\n\tb\r\nc\x1b")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["a"], ["b"], ["c"]] * 2


def test_columns_are_aligned_by_cells() -> None:
    """A wide character takes two cells of the terminal, a combining one none."""
    table = Columns(("name", "n"), "name", {}, right={"n"})
    names = ("ab", "日本", "e\u0301e", "👍🏽")
    head, lines = table.lines([(name, "7") for name in names])
    assert {cell_len(line.plain) for line in (head, *lines)} == {7}
