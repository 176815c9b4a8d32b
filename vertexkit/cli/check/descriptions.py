"""Descriptions of schemas in a few words, in the terms of JSON Schema."""

from typing import Any

from vertexkit.cli.check.schemas import Document, Flat, Schema, Undecidable, kinds_of

MAX_SHOWN_VALUES = 6
"""Values of an enumeration that are listed."""


def describe(schema: Schema, document: Document, required: bool | None = None) -> str:
    """Describe a schema in a few words: `integer from 1 to 360, optional`.

    Args:
        schema: what is described.
        document: that it is in.
        required: say that it is required, or optional.
    """
    try:
        flats = document.flatten(schema)
        text = " or ".join(dict.fromkeys(map(_describe_flat, flats))) if len(flats) < 6 else "any"
    except Undecidable:
        text = "a schema that cannot be read"
    if required is not None:
        text += ", required" if required else ", optional"
    return text or "nothing"


def _describe_flat(flat: Flat) -> str:
    if "enum" in flat:
        if kinds_of(flat) == {"boolean"} and len(flat["enum"]) > 1:
            return "boolean"
        shown = [_value(value) for value in flat["enum"][:MAX_SHOWN_VALUES]]
        return " | ".join(shown) + (" | …" if len(flat["enum"]) > MAX_SHOWN_VALUES else "")
    words = [flat["type"]]
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " members"),
    ):
        words += _range(flat.get(low), flat.get(high), unit)
    words += [f"above {flat[n]:g}" for n in ("exclusiveMinimum",) if n in flat]
    words += [f"below {flat[n]:g}" for n in ("exclusiveMaximum",) if n in flat]
    words += [f"{name} {flat[n]}" for n, name in _NAMED.items() if n in flat]
    if flat.get("uniqueItems"):
        words.append("without equal items")
    if flat.get("additionalProperties") is False:
        words.append("without further members")
    return " ".join(words)


_NAMED = {"multipleOf": "in steps of", "pattern": "matching", "format": "of format"}


def _range(low: float | None, high: float | None, unit: str) -> list[str]:
    if low is not None and high is not None:
        return [f"from {low} to {high}{unit}"]
    return ([f"at least {low}{unit}"] if low is not None else []) + (
        [f"at most {high}{unit}"] if high is not None else []
    )


def _value(value: Any) -> str:
    return "null" if value is None else repr(value)
