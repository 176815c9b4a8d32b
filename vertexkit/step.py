"""A step: a function that is called once for an execution, and the shape of what it gives."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

import anyio.to_thread
from pydantic import TypeAdapter


async def call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call it: on the loop if it is a coroutine function, else in a thread."""
    if inspect.iscoroutinefunction(fn):
        return await fn(*args, **kwargs)
    value = await anyio.to_thread.run_sync(lambda: fn(*args, **kwargs))
    return await value if inspect.isawaitable(value) else value


@lru_cache(maxsize=512)
def shape_of(fn: Callable[..., Any]) -> TypeAdapter[Any]:
    """What its return annotation promises; anything, if that is nothing pydantic can use."""
    try:
        return TypeAdapter(get_type_hints(fn).get("return", Any))
    except Exception:  # noqa: BLE001 - an annotation that pydantic cannot use promises nothing
        return TypeAdapter(Any)
