"""Inputs of a block, from a command line."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vertexkit.errors import SettingsError


def read_inputs(
    given: Iterable[str], file: Path | None, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Put together the inputs of a block.

    Args:
        given: `name=value` each; they win. A value is JSON if it can be read as such, unless the
            block wants a text there: then `i=1` means "1".
        file: of a JSON object; `-` is standard input.
        schema: JSON Schema of the block's inputs.

    Raises:
        SettingsError: one of them cannot be read; says which, and the form that is wanted.
    """
    inputs = {} if file is None else _read_file(file)
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise SettingsError(f"an input is NAME=VALUE, not {each!r}; for example -i name=Anna")
        wants_text = _takes(schema, schema.get("properties", {}).get(name, {}), "string")
        inputs[name] = value if wants_text else _value(value)
    return inputs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _takes(schema: Mapping[str, Any], field: Mapping[str, Any], kind: str) -> bool:
    """Does this field of a schema take values of this JSON type?"""
    if "$ref" in field:
        field = schema.get("$defs", {}).get(field["$ref"].rpartition("/")[2], {})
    branches = [*field.get("anyOf", []), *field.get("oneOf", [])]
    if any(_takes(schema, branch, kind) for branch in branches):
        return True
    kinds = field.get("type", [])
    return kind == kinds or (isinstance(kinds, list) and kind in kinds)


def _read_file(file: Path) -> dict[str, Any]:
    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name} is not UTF-8") from error
    try:
        inputs = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{name} is no JSON: {error}") from error
    if not isinstance(inputs, dict):
        raise SettingsError(f'{name} has to be a JSON object, as in {{"name": "Anna"}}')
    return inputs
