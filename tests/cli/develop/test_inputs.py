"""Inputs from the command line: text where the block wants text, JSON elsewhere."""

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from vertexkit.cli.develop.inputs import read_inputs
from vertexkit.errors import SettingsError


class Colour(StrEnum):
    RED = "red"


class Person(BaseModel):
    name: str
    age: int = 0
    phone: str | None = None
    either: int | str = 0
    tags: list[str] = []
    colour: Colour = Colour.RED
    size: Literal["1", "2"] = "1"


SCHEMA = Person.model_json_schema()


@pytest.mark.parametrize(
    "given, value",
    [
        ("name=7", "7"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ("phone=79991234567", "79991234567"),
        ("either=5", "5"),
        ("colour=red", "red"),
        ("size=2", "2"),
        ("age=7", 7),
        ("age=x", "x"),
        ('tags=["a", "b"]', ["a", "b"]),
        ("other=true", True),
        ("other=Аня", "Аня"),
    ],
)
def test_a_value_is_read_as_the_block_wants_it(given: str, value: Any) -> None:
    """A phone number stays text, a number becomes one, and what is no JSON is text."""
    assert read_inputs([given], None, SCHEMA) == {given.partition("=")[0]: value}


def test_a_file_gives_inputs_and_the_command_line_wins(tmp_path: Path) -> None:
    """`-f case.json -i age=8` runs the case with one thing changed."""
    case = tmp_path / "case.json"
    case.write_text('{"name": "Аня", "age": 7}', encoding="utf-8-sig")
    assert read_inputs(["age=8"], case, SCHEMA) == {"name": "Аня", "age": 8}


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program can hand in the inputs."""
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "x"}'))
    assert read_inputs([], Path("-"), SCHEMA) == {"name": "x"}


@pytest.mark.parametrize("given", ["name", "=x", ""])
def test_an_input_without_a_name_or_a_value_is_refused(given: str) -> None:
    """The sentence shows the form that is wanted."""
    with pytest.raises(SettingsError, match="inputs must have the form NAME=VALUE"):
        read_inputs([given], None, SCHEMA)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"[1]", "must contain a JSON object"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_holds_no_inputs_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """It is named, and so is what is wrong with it."""
    case = tmp_path / "case.json"
    case.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        read_inputs([], case, SCHEMA)
    with pytest.raises(SettingsError, match=r"cannot read .*: No such file"):
        read_inputs([], tmp_path / "none.json", SCHEMA)
