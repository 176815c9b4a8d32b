"""Functions of authors, in every shape that Python can call: handlers, hooks and steps.

What they are, what they return, and where they are in the source.
"""

import contextlib
import functools
import inspect
import sys
from collections.abc import Awaitable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, Self, get_args, get_origin, get_type_hints

import typing_extensions
from typing_extensions import Format

PACKAGE = str(Path(__file__).parent)
"""Folder of vertexkit's own code."""


def function_of(handler: Any) -> Any:
    """Return the function, or method, that a call of a handler runs.

    It is found through `functools.partial`, `staticmethod` and an object's `__call__`. A decorator's
    wrapper is a function of its own.

    Args:
        handler: anything callable.
    """
    while True:
        if isinstance(handler, functools.partial):
            handler = handler.func
        elif isinstance(handler, staticmethod):
            handler = handler.__func__
        elif (
            inspect.isroutine(handler)
            or inspect.isclass(get_origin(handler) or handler)  # also of `Page[Item]`
            or not callable(handler)
            or hasattr(handler, "__wrapped__")
        ):
            return handler
        else:
            call: Any = handler.__call__
            return call if inspect.isroutine(call) else handler


def is_coroutine_function(handler: Any) -> bool:
    """Whether a call of a handler returns a coroutine."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(function_of(handler))


def is_generator_function(handler: Any) -> bool:
    """Whether a call of a handler returns a generator of either kind."""
    function = function_of(handler)
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def why_unusable(handler: Any) -> str:
    """Return why an object cannot be a handler; empty if nothing speaks against it."""
    if inspect.isclass(handler):
        return f"the class {handler.__name__}. Decorate a function or a method of an object"
    if inspect.iscoroutine(handler):
        return f"a coroutine. Pass the function without calling it: {handler.__name__}"
    if isinstance(handler, (classmethod, functools.partialmethod)):
        kind = type(handler).__name__
        return (
            f"a {kind} inside of its class. Register it after the class: app.block(...)(K.method)"
        )
    if not callable(handler):
        return f"an object of type {type(handler).__name__}, which cannot be called"
    if code_of(handler) is None:
        return f"{handler!r}, which is not written in Python. Call it in a function of your own"
    return ""


def bound_keywords(handler: Any) -> frozenset[str]:
    """The parameters that `functools.partial` has already given by name."""
    return frozenset(handler.keywords) if isinstance(handler, functools.partial) else frozenset()


def innermost(handler: Any) -> Any:
    """Return the function, or method, inside of all decorators that use `functools.wraps`."""
    inner = inspect.unwrap(function_of(handler))
    function = function_of(inner)
    return function if function is inner else innermost(function)


def code_of(handler: Any) -> Any:
    """Return the code of the function that an author has written; None if it is not in Python."""
    return getattr(innermost(handler), "__code__", None)


def annotated(handler: Any) -> Any:
    """Return the function that has a handler's annotations."""
    function = function_of(handler)
    is_copied = inspect.isroutine(inspect.unwrap(function))  # as `functools.wraps` does
    return function if is_copied else innermost(handler)


def return_annotation(function: Any) -> Any:
    """Return the type of what a call returns; Any if no annotation says it.

    A class returns its instances, and `Self` is the class that a method is bound to. Of an awaitable
    it is the type that `await` returns. Other annotations are not evaluated: a parameter may have a
    type that only a type checker imports. A name is looked up where the function is defined, also
    among the local names that the function uses.

    Args:
        function: anything callable.

    Raises:
        Exception: The annotation cannot be evaluated; it may raise anything.
    """
    found = annotated(function)
    if inspect.isclass(get_origin(found) or found):
        return found
    annotation = _evaluated(found)
    if _is_awaitable(annotation) and (arguments := get_args(annotation)):
        annotation = arguments[-1]
    if annotation in (Self, typing_extensions.Self):
        owner = found.__self__
        return owner if inspect.isclass(owner) else type(owner)
    return annotation


def returns_awaitable(function: Any) -> bool:
    """Whether a function's annotation says that what a call returns can be awaited."""
    try:
        return _is_awaitable(_evaluated(annotated(function)))
    except Exception:  # noqa: BLE001 - an annotation may raise anything when it is evaluated
        return False


def _is_awaitable(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return inspect.isclass(origin) and issubclass(origin, Awaitable)


def _evaluated(function: Any) -> Any:
    """Return the return annotation of a function, without `Annotated`; Any if there is none."""
    annotations = typing_extensions.get_annotations(function, format=Format.FORWARDREF)
    annotation = annotations.get("return", Any)
    if annotation is Any or isinstance(annotation, type):
        return annotation
    source = inspect.unwrap(function)
    alone: Any = SimpleNamespace(
        __annotations__={"return": annotation},
        __type_params__=getattr(source, "__type_params__", ()),
    )
    hints = get_type_hints(alone, getattr(source, "__globals__", {}), _enclosing_names(source))
    return hints["return"]


def _enclosing_names(function: Any) -> dict[str, Any]:
    """Return the local names of the functions around a function, as far as it uses them."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = getattr(function, "__closure__", None) or ()
    enclosing = {}
    for name, cell in zip(names, cells, strict=True):
        with contextlib.suppress(ValueError):  # it has no value yet
            enclosing[name] = cell.cell_contents
    return enclosing


def where(handler: Any) -> str:
    """Return the place of a handler in the source, as `file:line`.

    Args:
        handler: anything. For what has no place of its own it is the line that is being run.
    """
    code = code_of(handler)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - objects do not know their lines
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return repr(handler) if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def documentation(handler: Any) -> str:
    """Return the docstring of a handler, or of its class; empty if there is none."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.getdoc(handler) or ""
