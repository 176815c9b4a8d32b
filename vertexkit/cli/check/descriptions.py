"""Descriptions of schemas in a few words, in the terms of JSON Schema."""

from collections.abc import Iterator, Sequence
from typing import Any

from vertexkit.cli.check.schemas import Document, Flat, Schema, Undecidable, kinds_of
from vertexkit.cli.translation import Phrase

MAX_SHOWN_VALUES = 6
"""Values of an enumeration that are listed."""
RANGES = (
    ("minimum", "maximum", "from {0} to {1}", "at least {0}", "at most {0}"),
    (
        *("minLength", "maxLength"),
        *("from {0} to {1} characters", "at least {0} characters", "at most {0} characters"),
    ),
    (
        *("minItems", "maxItems"),
        *("from {0} to {1} items", "at least {0} items", "at most {0} items"),
    ),
    (
        *("minProperties", "maxProperties"),
        *("from {0} to {1} members", "at least {0} members", "at most {0} members"),
    ),
)
"""Keywords of a lower and an upper limit, and the texts for both, the lower one, the upper one."""
LIMITS = {"exclusiveMinimum": "above {0}", "exclusiveMaximum": "below {0}"}
NAMED = {"multipleOf": "in steps of {0}", "pattern": "matching {0}", "format": "of format {0}"}


def describe(
    schema: Schema, document: Document, phrase: Phrase, required: bool | None = None
) -> str:
    """Describe a schema in a few words: `integer from 1 to 360, optional`.

    Args:
        schema: what is described.
        document: that it is in.
        phrase: translates the words.
        required: say that it is required, or optional.
    """
    try:
        flats = document.flatten(schema)
        shown = dict.fromkeys(_describe_flat(flat, phrase) for flat in flats)
        text = phrase(" or ").join(shown) if len(flats) < 6 else phrase("any")
    except Undecidable:
        text = phrase("a schema that cannot be read")
    text = text or phrase("nothing")
    if required is not None:
        text += phrase(", required") if required else phrase(", optional")
    return text


def _describe_flat(flat: Flat, phrase: Phrase) -> str:
    if "enum" in flat:
        if kinds_of(flat) == {"boolean"} and len(flat["enum"]) > 1:
            return phrase("boolean")
        shown = [_value(value) for value in flat["enum"][:MAX_SHOWN_VALUES]]
        return " | ".join(shown) + (" | …" if len(flat["enum"]) > MAX_SHOWN_VALUES else "")
    kind: str = flat["type"]
    words = [_types(phrase).get(kind, kind)]
    for low, high, *texts in RANGES:
        words += _range(flat.get(low), flat.get(high), texts, phrase)
    words += [phrase(text, f"{flat[name]:g}") for name, text in LIMITS.items() if name in flat]
    words += [phrase(text, flat[name]) for name, text in NAMED.items() if name in flat]
    if flat.get("uniqueItems"):
        words.append(phrase("without equal items"))
    if flat.get("additionalProperties") is False:
        words.append(phrase("without further members"))
    return " ".join(words)


def _types(phrase: Phrase) -> dict[str, str]:
    return {
        "integer": phrase("integer"),
        "number": phrase("number"),
        "string": phrase("string"),
        "boolean": phrase("boolean"),
        "array": phrase("array"),
        "object": phrase("object"),
    }


def _range(
    low: float | None, high: float | None, texts: Sequence[str], phrase: Phrase
) -> Iterator[str]:
    both, at_least, at_most = texts
    if low is not None and high is not None:
        yield phrase(both, low, high)
    elif low is not None:
        yield phrase(at_least, low)
    elif high is not None:
        yield phrase(at_most, high)


def _value(value: Any) -> str:
    return "null" if value is None else repr(value)
