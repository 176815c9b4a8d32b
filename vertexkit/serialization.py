"""Values of an author's code as JSON: of a bounded size, and always valid UTF-8."""

import copy
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from operator import is_
from typing import Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, TypeAdapter, WrapSerializer
from pydantic_core import PydanticSerializationError, from_json, to_json

from vertexkit.text import encodable, replace_surrogates

KEEP_NAN = ConfigDict(ser_json_inf_nan="constants")
"""Writes NaN and infinity as they are instead of null. The journal can read them back; what is
sent to the platform is checked with `reject_nan`."""
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=KEEP_NAN)
"""Takes any value that can be serialised to JSON."""
MIN_ITEM_BYTES = 2
"""Size of the smallest item of an array in JSON, with its comma."""


ITERATOR_BATCH = 1000
"""Items that are read from an iterator at once."""
SCALARS = frozenset({int, float, bool, type(None)})
"""Types whose values need no reading."""
SERIALIZERS = (PlainSerializer, WrapSerializer)
"""Annotations with which an author changes how a field is serialised."""


class TooLarge(ValueError):
    """A value is larger as JSON than it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"its JSON has more bytes than the limit of {limit}")


def dump_json(shape: TypeAdapter[Any], value: Any, *, by_alias: bool) -> bytes:
    """Serialise a value to JSON.

    Args:
        shape: Type of the value.
        value: The value; lone surrogates that a serializer of the author's returns become U+FFFD.
        by_alias: Whether fields are written by their aliases, or by their names.

    Raises:
        Exception: The value cannot be serialised: `PydanticSerializationError`, or what a
            serializer of the author's raises.
    """
    try:
        return shape.dump_json(value, by_alias=by_alias, warnings="none")
    except (PydanticSerializationError, UnicodeEncodeError):
        plain = shape.dump_python(value, mode="json", by_alias=by_alias, warnings="none")
        repaired = encodable(plain)
        if repaired == plain:
            raise
        return to_json(repaired, inf_nan_mode="constants")


def reject_nan(shape: TypeAdapter[Any], value: Any, data: bytes) -> None:
    """Reject NaN and infinity, which JSON does not have.

    A model of an author's has a configuration of its own, and by pydantic's default it writes
    null in their place: a null is looked up in the value.

    Args:
        shape: Type of the value.
        value: The value.
        data: Its JSON.

    Raises:
        ValueError: It contains NaN or infinity.
    """
    if b"null" in data:
        plain = encodable(shape.dump_python(value, warnings="none"))
        data = to_json(
            plain, inf_nan_mode="constants", bytes_mode="base64", fallback=lambda _: None
        )
    if b"NaN" in data or b"Infinity" in data:
        try:
            from_json(data, allow_inf_nan=False)
        except ValueError:
            raise ValueError("JSON has no NaN and no infinity") from None


def serializable(value: Any, limit: int) -> Any:
    """Return a value that can be serialised in a bounded time and memory, as valid UTF-8.

    Lone surrogates in its texts become U+FFFD: texts of other services contain them, half of an
    emoji that was cut. Iterators are read into lists, as pydantic serialises them, but no further
    than the limit. Objects with serializers of their own are left as they are.

    Args:
        value: The value, before its validation. It is not changed.
        limit: Size of its JSON in bytes from which it is refused. The size is estimated from below:
            the JSON of a value that is returned can be larger.

    Raises:
        TooLarge: The value is larger.
    """
    return _Reader(limit).read(value)


class _Reader:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0

    def read(self, value: Any) -> Any:
        if isinstance(value, str):
            self._add(len(value))
            return value if value.isascii() else replace_surrogates(value)
        if isinstance(value, (bytes, bytearray)):
            self._add(len(value))
            return value
        if isinstance(value, dict):
            return self._read_dict(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            self._add(len(value) * MIN_ITEM_BYTES)
            items = self._read_items(value)
            return value if all(map(is_, items, value)) else items
        if isinstance(value, Iterator):
            return self._read_iterator(value)
        if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
            return self._read_fields(value)
        return value

    def _read_dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        self._add(len(value) * MIN_ITEM_BYTES)
        keys = self._read_items(value)
        items = self._read_items(value.values())
        if all(map(is_, keys, value)) and all(map(is_, items, value.values())):
            return value
        return dict(zip(keys, items, strict=True))

    def _read_iterator(self, value: Iterator[Any]) -> list[Any]:
        items: list[Any] = []
        while batch := list(islice(value, ITERATOR_BATCH)):
            self._add(len(batch) * MIN_ITEM_BYTES)
            items += self._read_items(batch)
        return items

    def _read_items(self, items: Collection[Any]) -> list[Any]:
        return [item if type(item) in SCALARS else self.read(item) for item in items]

    def _read_fields(self, value: Any) -> Any:
        if not _is_serialized_by_fields(value):
            return value
        changed = {}
        names = _serialized_names(value)
        for name, item in vars(value).items() if hasattr(value, "__dict__") else ():
            new = self.read(item) if name in names else item
            if new is not item:
                changed[name] = new
        if not changed:
            return value
        value = copy.copy(value)
        for name, new in changed.items():
            object.__setattr__(value, name, new)
        return value

    def _add(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise TooLarge(self._limit)


def _is_serialized_by_fields(value: Any) -> bool:
    """Check that an object's JSON has all of its fields, so that their size counts."""
    if isinstance(value, type):
        return False
    if not isinstance(value, BaseModel):
        return True
    decorators = type(value).__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers:
        return False
    return not any(
        field.exclude or any(isinstance(item, SERIALIZERS) for item in field.metadata)
        for field in type(value).model_fields.values()
    )


def _serialized_names(value: Any) -> Mapping[str, Any]:
    """Return the attributes that an object's JSON has, without what it caches for itself."""
    if not isinstance(value, BaseModel):
        return type(value).__dataclass_fields__
    fields, computed = type(value).__pydantic_fields__, type(value).__pydantic_computed_fields__
    return {**fields, **computed} if computed else fields
