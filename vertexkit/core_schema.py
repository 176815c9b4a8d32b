"""The schema that pydantic builds of a type, searched for what it contains."""

from collections.abc import Iterator
from typing import Any

UNUSED_PARTS = {"default", "metadata", "strict_schema"}
"""Parts that are not searched: values of authors, and how a lenient type would be read if it was
strict, which `SecretStr` and `Path` describe."""


def parts_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield each part of a core schema, at any depth.

    Args:
        schema: of a model (`__pydantic_core_schema__`) or of a `TypeAdapter` (`core_schema`).
    """
    remaining: list[Any] = [schema]
    while remaining:
        part = remaining.pop()
        if isinstance(part, dict):
            yield part
            remaining += (item for name, item in part.items() if name not in UNUSED_PARTS)
        elif isinstance(part, (list, tuple)):
            remaining += part
