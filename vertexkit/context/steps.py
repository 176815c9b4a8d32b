"""Steps: how a step's function is called, and how its result is stored as JSON."""

import inspect
from collections.abc import Callable
from typing import Any

import anyio.to_thread

from vertexkit.callables import is_coroutine_function, return_annotation
from vertexkit.context.stored import ANYTHING_STORED, StoredType, stored_type
from vertexkit.serialization import NotRestorable, TooLarge
from vertexkit.text import replace_surrogates

MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Largest result of a step as JSON."""


def step_name(name: object) -> str:
    """Return the name of a step as it is journalled.

    Raises:
        TypeError: It is not a text.
    """
    if not isinstance(name, str):
        raise TypeError(f"step needs a name that is a text, got {type(name).__name__}")
    return replace_surrogates(name)


async def call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a step's function: on the event loop if it is `async def`, else in a thread."""
    if is_coroutine_function(fn):
        return await fn(*args, **kwargs)
    value = await anyio.to_thread.run_sync(lambda: fn(*args, **kwargs))
    return await value if inspect.isawaitable(value) else value


def result_type(fn: Callable[..., Any]) -> StoredType:
    """Return the type of a step's result: the function's return annotation, see `return_annotation`.

    Without an annotation, or with one that pydantic cannot use, it is `ANYTHING_STORED`.
    """
    try:
        return stored_type(return_annotation(fn))
    except Exception:  # noqa: BLE001 - an annotation may raise anything when it is evaluated
        return ANYTHING_STORED


def store(name: str, shape: StoredType, value: Any) -> tuple[bytes, Any]:
    """Write a step's result as JSON.

    Args:
        name: Name of the step, for the error.
        shape: Type of the result.
        value: The result.

    Returns:
        The JSON, and the value read back from it: what every run of the handler gets.

    Raises:
        TypeError: The result cannot be serialised to JSON, or not be read back as annotated.
    """
    try:
        stored = shape.write(value, MAX_RESULT_BYTES)
        return stored, shape.read(stored)
    except TooLarge as error:
        raise TypeError(f"step {name!r}: its result is too large: {error}") from None
    except NotRestorable as error:
        raise TypeError(f"step {name!r}: its result cannot be read back: {error}") from None
    except Exception as error:  # also of an author's validators and serializers
        raise TypeError(
            f"step {name!r}: its result cannot be serialised to JSON and read back"
        ) from error
