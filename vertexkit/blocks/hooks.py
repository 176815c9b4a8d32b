"""Functions that an author hands to an app besides handlers: each is checked when it is declared."""

import contextlib
import inspect
from dataclasses import dataclass
from typing import Any

from vertexkit.callables import (
    function_of,
    innermost,
    is_coroutine_function,
    is_generator_function,
    returns_awaitable,
    where,
)
from vertexkit.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that vertexkit calls."""

    name: str
    form: str
    """How it is written."""
    positional: tuple[str, ...]
    """What it gets by position."""
    by_name: tuple[str, ...] = ()
    """What it gets by name."""


ON_FAILURE = Hook(
    "on_failure", "`async def on_failure(ctx, failure)` without `yield`", ("ctx", "failure")
)
MIDDLEWARE = Hook(
    "a middleware",
    "`async def middleware(ctx, call_next)` without `yield`",
    ("ctx",),
    ("call_next",),
)
READ_CALL = Hook("read_call", "`def read_call(raw)` without `yield`", ("raw",))
KEY = Hook("key", "`def key(call, inputs)` without `yield`", ("call", "inputs"))
LIFESPAN = Hook(
    "lifespan", "`@asynccontextmanager` above `async def lifespan(app)` with `yield`", ("app",)
)


def check_async(hook: Hook, function: Any) -> None:
    """Check a function whose result is awaited.

    A `def` function is accepted if its annotation says that it returns an awaitable, and so is a
    lambda, which cannot have an annotation.

    Args:
        hook: What the function is for.
        function: What the author gave.

    Raises:
        DefinitionError: It cannot be used; the message has its place and how to fix it.
    """
    at = where(function)
    _check_callable(at, hook, function)
    if inspect.isclass(function):
        raise _wrong(at, hook, f"got the class {function.__name__}")
    if is_generator_function(function):
        raise _wrong(at, hook, "got a generator function")
    if not is_coroutine_function(function) and not _may_be_awaited(function):
        raise _wrong(at, hook, "got a `def` function")
    _check_parameters(at, hook, function)


def check_plain(hook: Hook, function: Any, at: str = "") -> None:
    """Check a function whose result is used at once, without `await`.

    Args:
        hook: What the function is for.
        function: What the author gave.
        at: Its place in the source, for the error; by default it is looked up.

    Raises:
        DefinitionError: As for `check_async`.
    """
    at = at or where(function)
    _check_callable(at, hook, function)
    if is_generator_function(function):
        raise _wrong(at, hook, "got a generator function")
    if is_coroutine_function(function):
        raise _wrong(at, hook, "got an `async def` function, which is not awaited")
    _check_parameters(at, hook, function)


def check_lifespan(function: Any) -> None:
    """Check a function that makes an async context manager.

    Args:
        function: What the author gave.

    Raises:
        DefinitionError: As for `check_async`.
    """
    is_class = inspect.isclass(function)
    if hasattr(function, "__aenter__") and not is_class:
        at = where(None)  # that of the app: what was called is in contextlib
        raise _wrong(at, LIFESPAN, "got a context manager. Pass the function without calling it")
    at = where(function)
    _check_callable(at, LIFESPAN, function)
    if is_class and not hasattr(function, "__aenter__"):
        raise _wrong(at, LIFESPAN, f"got the class {function.__name__}, which has no `__aenter__`")
    if is_generator_function(function):
        raise _wrong(at, LIFESPAN, "got a generator function")
    if is_coroutine_function(function):
        raise _wrong(at, LIFESPAN, "got an `async def` function without `yield`")
    if _is_context_manager(function):
        raise _wrong(at, LIFESPAN, "got a `@contextmanager`")
    _check_parameters(at, LIFESPAN, function)


def _check_callable(at: str, hook: Hook, function: Any) -> None:
    if inspect.iscoroutine(function):
        name = function.__name__
        raise _wrong(at, hook, f"got a coroutine. Pass the function without calling it: {name}")
    if not callable(function):
        raise _wrong(at, hook, f"got an object of type {type(function).__name__}")


def _check_parameters(at: str, hook: Hook, function: Any) -> None:
    """Check that a function can be called as vertexkit calls it."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of some built-in functions it is not known
        return
    try:
        signature.bind(*hook.positional, **dict.fromkeys(hook.by_name))
    except TypeError as error:
        raise _wrong(at, hook, f"its parameters are {signature}: {error}") from None


def _may_be_awaited(function: Any) -> bool:
    """Whether a function that is not `async def` may return an awaitable."""
    return (
        getattr(function_of(function), "__name__", "") == "<lambda>"
        or is_coroutine_function(innermost(function))  # a decorator's wrapper returns its coroutine
        or returns_awaitable(function)
    )


def _is_context_manager(function: Any) -> bool:
    """Whether a function was decorated with `contextlib.contextmanager`, which is not async."""
    code = getattr(function_of(function), "__code__", None)
    is_decorated = code is not None and code.co_filename == contextlib.__file__
    return is_decorated and inspect.isgeneratorfunction(innermost(function))


def _wrong(at: str, hook: Hook, reason: str) -> DefinitionError:
    return DefinitionError(f"{at}: {hook.name} must be {hook.form}; {reason}")
