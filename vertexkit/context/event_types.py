"""What the data of events must look like, for the receiver that validates them."""

import sys
from typing import Any, cast

from pydantic import TypeAdapter


class EventTypes:
    """The types that handlers of this process have waited for, by block and event."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, str], TypeAdapter[Any]] = {}

    def add(self, block: str, name: str, shape: TypeAdapter[Any]) -> None:
        """Remember what a handler of a block waits for."""
        self._types[block, name] = shape

    def find(self, block: str, name: str, type_name: str) -> TypeAdapter[Any] | None:
        """Return the type of an event; None if it is not known in this process.

        Args:
            block: that waits for the event.
            name: of the event.
            type_name: as the wait was journalled, perhaps by another process.
        """
        found = self._types.get((block, name))
        if found is not None:
            return found
        module, _, path = type_name.partition(":")
        target: Any = sys.modules.get(module)
        for part in path.split("."):
            target = getattr(target, part, None)
        if not isinstance(target, type):
            return None
        adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, target))
        self._types[block, name] = adapter
        return adapter


def type_name(shape: TypeAdapter[Any]) -> str:
    """Return where another process finds a type, `module:Class`; empty for types without a name."""
    target = shape._type  # noqa: SLF001 - pydantic has no public name for it
    if not isinstance(target, type) or "<locals>" in target.__qualname__:
        return ""
    return f"{target.__module__}:{target.__qualname__}"
