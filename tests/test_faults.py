"""Blaming the right line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from vertexkit.faults import place, short

HERE = short(__file__)


def number(text: str) -> Any:
    return json.loads(text)


def model() -> None:
    pydantic.TypeAdapter(int).validate_python("x")


@pytest.mark.parametrize(
    "fail, line",
    [
        (lambda: number("x"), "return json.loads(text)"),
        (model, 'pydantic.TypeAdapter(int).validate_python("x")'),
        (lambda: 1 // 0, '(lambda: 1 // 0, "(lambda'),
    ],
)
def test_the_deepest_line_of_the_authors_own_is_named(
    fail: Callable[[], object], line: str
) -> None:
    """Not the library's line that raised, and not vertexkit's that called."""
    with pytest.raises((ValueError, ZeroDivisionError)) as caught:
        fail()
    where, text = place(caught.value)
    assert where.rpartition(":")[0] == HERE
    assert text.startswith(line[:15])


def test_a_syntax_error_is_at_its_own_line() -> None:
    """The file that cannot be read, and not the one that imports it."""
    with pytest.raises(SyntaxError) as caught:
        compile("a = 1\nb = = 2\n", "own.py", "exec")
    assert place(caught.value) == ("own.py:2", "b = = 2")


def test_where_nobody_knows_nothing_is_said() -> None:
    """An exception that was never raised has no place."""
    assert place(ValueError("x")) == ("", "")


def test_names_are_short_inside_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an author sees them; elsewhere they are whole."""
    monkeypatch.chdir(tmp_path)
    assert short(str(tmp_path / "a" / "b.py")) == "a/b.py"
    assert short("/elsewhere/b.py") == "/elsewhere/b.py"
