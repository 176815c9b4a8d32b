"""Masking of what users wrote: each letter becomes x, each digit 0; what the schema names stays."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from vertexkit.text import mask

Path: TypeAlias = tuple[str | int, ...]
Accepts: TypeAlias = Callable[[dict[str, Any]], bool]
NEUTRAL_TEXTS = (
    "2000-01-01",
    "2000-01-01T00:00:00Z",
    "00:00:00",
    "P1D",
    "00000000-0000-4000-8000-000000000000",
    "masked@example.org",
    "https://example.org/",
    "192.0.2.1",
    "0",
    "1",
)
"""Texts that a schema may accept where it rejects a masked one: dates, UUIDs, addresses, numbers."""


@dataclass(frozen=True, slots=True)
class Masked:
    """Inputs whose texts are masked."""

    inputs: dict[str, Any]
    fields: tuple[str, ...]
    """Names of the masked texts, for example `address.city`."""
    unfit: tuple[str, ...]
    """Those of them that the block's model rejects now: no masked text that fits is known."""


def mask_inputs(inputs: Mapping[str, Any], schema: Mapping[str, Any], accepts: Accepts) -> Masked:
    """Mask the texts of a block's inputs, so that the block accepts them as before if possible.

    Args:
        inputs: of a call.
        schema: of the block's inputs; texts that it lists as values are kept.
        accepts: whether the block's model accepts inputs.
    """
    kept = set(_listed_texts(schema))
    masked = deepcopy(dict(inputs))
    is_valid = accepts(masked)
    fields: list[str] = []
    unfit: list[str] = []
    for path, text in list(_texts(masked)):
        if text in kept or not text.strip():
            continue
        fields.append(_name(path))
        for candidate in (mask(text), *_neutral(schema)):
            _replace(masked, path, candidate)
            if not is_valid or accepts(masked):
                break
        else:
            _replace(masked, path, mask(text))
            unfit.append(_name(path))
            is_valid = False
    return Masked(masked, tuple(fields), tuple(unfit))


def mask_value(value: Any) -> Any:
    """Mask all texts of a JSON value, but not the names in it."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [mask_value(item) for item in value]
    if isinstance(value, dict):
        return {name: mask_value(item) for name, item in value.items()}
    return value


def _neutral(schema: Any) -> Iterator[str]:
    """Yield the texts that are tried: examples that the author gave, and `NEUTRAL_TEXTS`."""
    yield from _examples(schema)
    yield from NEUTRAL_TEXTS


def _examples(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if name == "examples" and isinstance(value, list):
                yield from (text for text in value if isinstance(text, str))
            else:
                yield from _examples(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _examples(item)


def _listed_texts(schema: Any) -> Iterator[str]:
    """Yield the texts that a schema lists as values: of enumerations and constants."""
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            listed = [value] if name == "const" else value if name == "enum" else None
            if isinstance(listed, list):
                yield from (text for text in listed if isinstance(text, str))
            else:
                yield from _listed_texts(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _listed_texts(item)


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))


def _replace(inputs: Any, path: Path, text: str) -> None:
    for part in path[:-1]:
        inputs = inputs[part]
    inputs[path[-1]] = text


def _name(path: Path) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
