"""Values of an author's code as JSON: of a bounded size, and always valid UTF-8."""

import copy
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from operator import is_
from typing import Any, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainSerializer,
    Secret,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    WrapSerializer,
)
from pydantic.fields import FieldInfo
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


SECRETS = (SecretStr, SecretBytes, Secret)
ASTERISKS = "*" * 10
"""What pydantic writes in the place of a secret."""


class NotRestorable(TypeError):
    """A value is not the same after it was written as JSON and read back."""


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


def restorable(value: Any, limit: int) -> tuple[Any, "Losses"]:
    """Return a value as `serializable` does, and what of it its JSON may not have.

    Args:
        value: As for `serializable`.
        limit: As for `serializable`.

    Raises:
        TooLarge: As for `serializable`.
    """
    reader = _Reader(limit)
    readable = reader.read(value)
    return readable, Losses(reader.secrets, reader.excluded)


Place: TypeAlias = tuple[type, str]
"""A model or dataclass, and one of its fields; no field for a value outside of any."""


@dataclasses.dataclass(frozen=True, slots=True)
class Losses:
    """Parts of a value that pydantic does not write as they are."""

    secrets: list[tuple[Place, Any]]
    """Secrets, which are written as asterisks."""
    excluded: list[Place]
    """Fields with `exclude=True` that are not at their default."""

    def check(self, stored: bytes) -> None:
        """Check that the JSON of the value has all of them.

        Args:
            stored: The JSON.

        Raises:
            NotRestorable: A part is lost.
        """
        for kind, name in self.excluded:
            raise NotRestorable(
                f"the field {kind.__name__}.{name} is excluded from JSON (`exclude=True`). Return a "
                "model without this field, or leave it at its default"
            )
        for (kind, name), secret in self.secrets:
            if _is_masked(secret, stored):
                at = f" in {kind.__name__}.{name}" if name else ""
                raise NotRestorable(
                    f"JSON has asterisks in place of the {type(secret).__name__}{at}. Read secrets "
                    "where they are used, or, if the journal may contain them, return their text or "
                    "write them with a `field_serializer`"
                )


def _is_masked(secret: Any, stored: bytes) -> bool:
    """Whether a JSON has asterisks for a secret: a serializer of the author's may write it."""
    return any(text and to_json(text) in stored for text in (str(secret), ASTERISKS))


class _Reader:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._place: Place = (type(None), "")
        self.secrets: list[tuple[Place, Any]] = []
        self.excluded: list[Place] = []

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
        if isinstance(value, SECRETS):
            self.secrets.append((self._place, value))
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
        if isinstance(value, type):
            return value
        fields = _serialized_fields(type(value))
        self._find_excluded(fields, value)
        changed, place = {}, self._place
        for name, item in vars(value).items() if hasattr(value, "__dict__") else ():
            if name in fields.names:
                self._place = type(value), name
                new = self.read(item)
                if new is not item:
                    changed[name] = new
        self._place = place
        if not changed:
            return value
        value = copy.copy(value)
        for name, new in changed.items():
            object.__setattr__(value, name, new)
        return value

    def _find_excluded(self, fields: "_SerializedFields", value: Any) -> None:
        """Note the fields of a model that its JSON does not have, and that have been set."""
        for name, field in fields.excluded.items():
            item = getattr(value, name, None)
            if name in value.__pydantic_fields_set__ and not _is_restored(field, item):
                self.excluded.append((type(value), name))

    def _add(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise TooLarge(self._limit)


@dataclasses.dataclass(frozen=True, slots=True)
class _SerializedFields:
    """What the JSON of a model or a dataclass has."""

    names: frozenset[str]
    """Attributes that are written as they are: no serializer of an author's writes them."""
    excluded: Mapping[str, FieldInfo]
    """Fields that are not written, at least for some values."""


@lru_cache(maxsize=512)
def _serialized_fields(kind: type) -> _SerializedFields:
    if not issubclass(kind, BaseModel):
        names = frozenset(field.name for field in dataclasses.fields(kind))
        return _SerializedFields(names, {})
    decorators = kind.__pydantic_decorators__
    if decorators.model_serializers:
        return _SerializedFields(frozenset(), {})
    fields = kind.__pydantic_fields__
    excluded = {name: field for name, field in fields.items() if _is_excludable(field)}
    own = {name for one in decorators.field_serializers.values() for name in one.info.fields}
    own |= {
        name
        for name, field in fields.items()
        if any(isinstance(item, SERIALIZERS) for item in field.metadata)
    }
    names = {*fields, *kind.__pydantic_computed_fields__} - own - excluded.keys()
    return _SerializedFields(frozenset() if "*" in own else frozenset(names), excluded)


def _is_excludable(field: FieldInfo) -> bool:
    return bool(field.exclude) or field.exclude_if is not None


def _is_restored(field: FieldInfo, item: Any) -> bool:
    """Whether a field that may be excluded is written, or has the value that it gets if it is not."""
    try:
        if not field.exclude and field.exclude_if is not None and not field.exclude_if(item):
            return True
        return item is field.default or bool(item == field.default)
    except Exception:  # noqa: BLE001 - an author's function or object may raise anything
        return False
