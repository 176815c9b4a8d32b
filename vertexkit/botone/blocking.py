"""The blocking form of an asynchronous class, derived from its methods.

`sync` builds the client for scripts with it, and `context/dialog` what `def` handlers use.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class RunCoroutine(Protocol):
    """Runs a coroutine in an event loop of another thread and waits for its result."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


class Blocking(Generic[V]):
    """The base of a blocking class; its methods are created by `blocking`.

    Args:
        target: the object whose asynchronous methods are called.
        run: runs the coroutines that those methods return.
    """

    def __init__(self, target: V, run: RunCoroutine) -> None:
        self.target = target
        self.run = run


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Blocking[Any], P], T]:
    """Return the blocking form of an asynchronous method, with the same parameters and errors."""

    @wraps(method)
    def call(self: Blocking[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.target, *args, **kwargs))

    return call
