"""The blocking form of an asynchronous class, derived from its methods.

`sync` builds the client for scripts with it, and `context/dialog` what `def` handlers use.
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
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


class BlockingMethod(Protocol[P, R_co]):
    """A method that `blocking` has created, as type checkers see it.

    As a `Callable`, an attribute of a class is a method for some of them, and a function that is
    called without the object for others.
    """

    @overload
    def __get__(self, instance: None, owner: Any, /) -> Callable[Concatenate[Any, P], R_co]: ...

    @overload
    def __get__(self, instance: Blocking[Any], owner: Any, /) -> Callable[P, R_co]: ...


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R_co]],
) -> BlockingMethod[P, R_co]:
    """Return the blocking form of an asynchronous method, with the same parameters and errors."""

    @wraps(method)
    def call(self: Blocking[Any], /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.run(method(self.target, *args, **kwargs))

    return cast(BlockingMethod[P, R_co], call)
