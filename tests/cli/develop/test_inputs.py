"""Inputs from the command line: text if the block expects a string, otherwise JSON."""

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
def test_a_value_is_read_by_the_blocks_schema(given: str, value: Any) -> None:
    """A string stays text, other values are parsed as JSON, and invalid JSON is text."""
    assert read_inputs([given], None, SCHEMA) == {given.partition("=")[0]: value}


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    """With `-f case.json -i age=8` the inputs are those of the file, except for `age`."""
    case = tmp_path / "case.json"
    case.write_text('{"name": "Аня", "age": 7}', encoding="utf-8-sig")
    assert read_inputs(["age=8"], case, SCHEMA) == {"name": "Аня", "age": 8}


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-f -` reads the inputs from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"name": "x"}')))
    assert read_inputs([], Path("-"), SCHEMA) == {"name": "x"}


@pytest.mark.parametrize("given", ["name", "=x", ""])
def test_an_input_without_a_name_or_a_value_is_rejected(given: str) -> None:
    """The error shows the expected form."""
    with pytest.raises(SettingsError, match="inputs must have the form NAME=VALUE"):
        read_inputs([given], None, SCHEMA)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"[1]", "must contain a JSON object"),
        (b"{", "is not valid JSON"),
        ('{"name": "Аня"}'.encode("cp1251"), "is not UTF-8"),
        ('{"name": "x"}'.encode("utf-16-le"), "is not UTF-8"),
    ],
)
def test_an_invalid_file_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    """The error names the file and what is wrong with it."""
    case = tmp_path / "case.json"
    case.write_bytes(content)
    with pytest.raises(SettingsError, match=message):
        read_inputs([], case, SCHEMA)
    with pytest.raises(SettingsError, match=r"cannot read .*: No such file"):
        read_inputs([], tmp_path / "none.json", SCHEMA)
