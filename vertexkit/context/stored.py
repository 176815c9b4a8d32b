"""Values of authors in the journal: results of steps, and what the memory of a dialog keeps."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from vertexkit.core_schema import parts_of
from vertexkit.serialization import ANYTHING, KEEP_NAN, dump_json, restorable

ALIASES = ("validation_alias", "serialization_alias")


@dataclass(frozen=True, slots=True)
class StoredType:
    """A type whose values are stored as JSON and read back.

    Fields are stored by their names and not by their aliases: a model may have one alias to read it
    and another one to write it, or forbid either. What is not stored by names is read by aliases:
    a dict with the JSON of another service, for example.
    """

    adapter: TypeAdapter[Any]
    has_aliases: bool = False

    def write(self, value: Any, limit: int) -> bytes:
        """Return a value as JSON.

        Args:
            value: The value.
            limit: Size of the JSON in bytes from which it is refused.

        Raises:
            TooLarge: The value is larger.
            NotRestorable: What is read back would not be the same: JSON does not have its secrets.
            Exception: It cannot be serialised; see `dump_json`.
        """
        readable, losses = restorable(value, limit)
        stored = dump_json(self.adapter, readable, by_alias=False)
        losses.check(stored)
        return stored

    def read(self, stored: bytes) -> Any:
        """Return a value that was stored, by this version or an earlier one.

        Raises:
            ValidationError: It is not a value of this type.
            Exception: What a validator of the author's raises.
        """
        if not self.has_aliases:
            return self.adapter.validate_json(stored)
        # An alias may be the name of another field: names come first, if nothing is lost by them.
        try:
            value = self.adapter.validate_json(stored, by_alias=False, by_name=True)
            if dump_json(self.adapter, value, by_alias=False) == stored:
                return value
        except Exception:  # noqa: BLE001, S110 - also of an author's validators and serializers
            pass
        return self.adapter.validate_json(stored, by_alias=True, by_name=True)


ANYTHING_STORED = StoredType(ANYTHING)
"""Any value that can be serialised to JSON; it is read back as JSON."""


def stored_type(annotation: Any) -> StoredType:
    """Return how values of a type are stored.

    Raises:
        PydanticUserError: pydantic cannot use the type.
        Exception: What else pydantic raises for it.
    """
    if annotation is Any:
        return ANYTHING_STORED
    try:
        hash(annotation)
    except TypeError:
        return _stored_type.__wrapped__(annotation)
    return _stored_type(annotation)


@lru_cache(maxsize=512)
def _stored_type(annotation: Any) -> StoredType:
    # Cached by the type, not by the function: a cached lambda would keep its execution alive.
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=KEEP_NAN)
    except PydanticUserError:  # a model, for example, has a configuration of its own
        adapter = TypeAdapter(annotation)
    aliases = any(name in part for part in parts_of(adapter.core_schema) for name in ALIASES)
    return StoredType(adapter, aliases)
