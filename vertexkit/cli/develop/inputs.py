"""Inputs of a block, read from the command line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vertexkit.cli.stdin import read_stdin
from vertexkit.errors import SettingsError
from vertexkit.text import decode_file, encodable


def read_inputs(
    pairs: Iterable[str], file: Path | None, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Read the inputs of a block.

    Args:
        pairs: `NAME=VALUE` each; they override the file. A value is parsed as JSON if that is
            possible and the schema does not accept a string there: for a string, `i=1` is "1".
        file: A file with a JSON object; `-` is standard input.
        schema: The JSON Schema of the block's inputs.

    Returns:
        The inputs by name, with texts that UTF-8 can encode.

    Raises:
        SettingsError: An input or the file cannot be read.
    """
    inputs = {} if file is None else _read_file(file)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise SettingsError(
                f"inputs must have the form NAME=VALUE, got {pair!r}. For example: -i name=Anna"
            )
        inputs[name] = parse_value(value, schema, name)
    return dict(encodable(inputs))


def parse_value(text: str, schema: Mapping[str, Any], name: str) -> Any:
    """Read the text of an input.

    Args:
        text: Parsed as JSON if that is possible and the input cannot be a string.
        schema: The JSON Schema of the block's inputs.
        name: Of the input.
    """
    is_string = _accepts(schema, schema.get("properties", {}).get(name, {}), "string")
    return text if is_string else _parse(text)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _accepts(schema: Mapping[str, Any], field: Mapping[str, Any], kind: str) -> bool:
    """Whether a field of a schema accepts values of a JSON type."""
    if "$ref" in field:
        field = schema.get("$defs", {}).get(field["$ref"].rpartition("/")[2], {})
    branches = [*field.get("anyOf", []), *field.get("oneOf", [])]
    if any(_accepts(schema, branch, kind) for branch in branches):
        return True
    kinds = field.get("type", [])
    return kind == kinds or (isinstance(kinds, list) and kind in kinds)


def _read_file(file: Path) -> dict[str, Any]:
    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = read_stdin() if str(file) == "-" else decode_file(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name} is not UTF-8. Save it as UTF-8") from error
    try:
        inputs = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{name} is not valid JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise SettingsError(f'{name} must contain a JSON object, for example {{"name": "Anna"}}')
    return inputs
