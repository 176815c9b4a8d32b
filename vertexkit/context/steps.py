"""A step: a function that is called once for an execution, and the shape of what it gives."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

import anyio.to_thread
from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic_core import PydanticSerializationError

NAN_KEPT = ConfigDict(ser_json_inf_nan="constants")
"""The journal can give back a NaN, which JSON proper has not."""
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=NAN_KEPT)


async def call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call it: on the loop if it is a coroutine function, else in a thread."""
    if inspect.iscoroutinefunction(fn):
        return await fn(*args, **kwargs)
    value = await anyio.to_thread.run_sync(lambda: fn(*args, **kwargs))
    return await value if inspect.isawaitable(value) else value


def shape_of(fn: Callable[..., Any]) -> TypeAdapter[Any]:
    """What its return annotation promises; anything, if that is nothing pydantic can use."""
    try:
        promised = get_type_hints(fn).get("return", Any)
        return ANYTHING if promised is Any else _shape(promised)
    except Exception:  # noqa: BLE001 - an annotation that pydantic cannot use promises nothing
        return ANYTHING


@lru_cache(maxsize=512)
def _shape(promised: Any) -> TypeAdapter[Any]:
    """Kept by the type, not by the function: a lambda would keep its execution alive."""
    try:
        return TypeAdapter(promised, config=NAN_KEPT)
    except PydanticUserError:  # a model, for example, has a configuration of its own
        return TypeAdapter(promised)


def store(name: str, shape: TypeAdapter[Any], value: Any) -> tuple[bytes, Any]:
    """What a step gave, as JSON, and read back from it: as the next run will have it.

    Raises:
        TypeError: it cannot.
    """
    try:
        stored = shape.dump_json(value, warnings="none")
        return stored, shape.validate_json(stored)
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise TypeError(
            f"step {name!r}: its result cannot be put into JSON and had back"
        ) from error
