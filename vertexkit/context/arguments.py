"""A step's arguments as a short digest, so that a later run recognises the step."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from numbers import Number
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json

from vertexkit.text import encodable

DIGEST_CHARACTERS = 16
BY_TEXT = (str, Number, date, time, timedelta, tzinfo, UUID, PurePath)
"""Types whose values their text tells apart; `Number` includes Decimal and numpy's numbers,
`date` includes datetime."""


def digest_text(text: str) -> str:
    """Return a digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def digest_arguments(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str:
    """Return a digest of a function's arguments, which is the same in every process.

    The arguments are written as canonical JSON: mappings and sets in the order of their keys,
    models and dataclasses by their fields, without what they calculate and cache. A value that
    JSON does not have (a client, a file, an object of another class) counts by its type alone, so
    two of them count as equal.

    Args:
        fn: The function; the arguments of a `functools.partial` count too.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """
    while isinstance(fn, functools.partial):
        args, kwargs, fn = (*fn.args, *args), {**fn.keywords, **kwargs}, fn.func
    try:
        canonical = to_json(
            encodable([_canonical(args), _canonical(kwargs)]), inf_nan_mode="constants"
        )
    except (RecursionError, ValueError):  # it contains itself
        canonical = to_json([_type_name(value) for value in (*args, *kwargs.values())])
    return hashlib.sha256(canonical).hexdigest()[:DIGEST_CHARACTERS]


def _canonical(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": _sorted((_canonical(key), _canonical(value[key])) for key in value)}
    if isinstance(value, (set, frozenset)):
        return {"set": _sorted(map(_canonical, value))}
    return {_type_name(value): _content(value)}


def _content(value: Any) -> Any:
    """Return what tells two values of a type apart; None if nothing does."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, BY_TEXT):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return hashlib.sha256(value).hexdigest()
    fields = _fields(value)
    return None if fields is None else _canonical(fields)


def _fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of a model or a dataclass; None for every other object."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields  # `__dict__` has the values of `cached_property`, too
        given = {name: item for name, item in value.__dict__.items() if name in fields}
        return {**given, **(value.model_extra or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return None


def _sorted(items: Any) -> list[Any]:
    return sorted(items, key=lambda item: to_json(encodable(item), inf_nan_mode="constants"))


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
