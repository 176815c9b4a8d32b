"""Inputs with which a block can be run: a preset, recorded ones, or made from its schema."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from vertexkit.blocks.registry import Block
from vertexkit.errors import SettingsError
from vertexkit.playground.input_presets import InputPresets
from vertexkit.recordings import Recording
from vertexkit.recordings.masking import NEUTRAL_TEXTS

FORMATS = dict(
    zip(
        ("date", "date-time", "time", "duration", "uuid", "email", "uri", "ipv4"),
        NEUTRAL_TEXTS,
        strict=False,
    )
)
"""A text of each format."""
MAX_DEPTH = 8


def find_inputs(
    block: Block, preset: str | None, recordings: Iterable[Recording]
) -> dict[str, Any]:
    """Return inputs that a block accepts.

    Args:
        block: that is run.
        preset: name of saved inputs (`inputs/BLOCK/NAME.json`), which are used if the block has
            them.
        recordings: newest first; used if there is no preset.

    Raises:
        SettingsError: the block rejects the inputs that were found or made.
    """
    source, inputs = "preset", InputPresets().list(block.name).get(preset or "")
    if inputs is None:
        own = (found.header.inputs for found in recordings if found.header.block == block.name)
        source, inputs = "recording", next(own, None)
    if inputs is None:
        source, inputs = "schema", example_inputs(block.signature.input_schema())
    try:
        block.signature.read(inputs)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "inputs"
        raise SettingsError(
            f"the block {block.name} rejects the inputs of the {source} ({place}: {first['msg']}). "
            f"Give its fields examples, save inputs/{block.name}/NAME.json and use --preset NAME, "
            "or name a folder of recordings with --recorded"
        ) from None
    return inputs


def example_inputs(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required inputs of a block, and those with examples.

    Args:
        schema: the JSON Schema of the block's inputs.
    """
    return dict(_example(schema, schema, 0) or {})


def _example(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    """Return a value after a schema: an example, the default, or the simplest one."""
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    given = [*schema.get("examples", ())[:1], *schema.get("enum", ())[:1]]
    given += [schema[keyword] for keyword in ("default", "const") if keyword in schema]
    if given:
        return given[0]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(root.get("$defs", {}).get(name), root, depth + 1)
    alternatives = [s for keyword in ("anyOf", "oneOf", "allOf") for s in schema.get(keyword, ())]
    if alternatives:
        return _example(alternatives[0], root, depth + 1)
    makers = {"object": _object, "array": _array}
    return makers.get(schema.get("type", ""), _simple)(schema, root, depth)


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    items = [*schema.get("prefixItems", ())]
    items += [schema.get("items")] * (schema.get("minItems", 0) - len(items))
    return [_example(item, root, depth + 1) for item in items]


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    required, members = schema.get("required", ()), schema.get("properties", {})
    return {
        name: _example(members.get(name), root, depth + 1)
        for name in members
        if name in required or "examples" in members[name]
    }


def _simple(schema: Mapping[str, Any], _: Mapping[str, Any], __: int) -> Any:
    kind = schema.get("type")
    if kind == "string":
        text = FORMATS.get(schema.get("format", ""), "text")
        return text.ljust(schema.get("minLength", 0), "x")[
            : schema.get("maxLength", len(text) * 99)
        ]
    if kind == "boolean":
        return False
    if kind not in ("integer", "number"):
        return None
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 2) - 1)
    number = min(max(low, 1), high) if low <= high else (low + high) / 2
    step = schema.get("multipleOf")
    return number if step is None else math.ceil(number / step) * step
