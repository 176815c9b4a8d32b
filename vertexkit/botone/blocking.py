"""The blocking form of something asynchronous, made from its methods."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class Wait(Protocol):
    """Waits, outside the event loop, until the loop has done something."""

    def __call__(self, doing: Coroutine[Any, Any, T], /) -> T: ...


class Blocking(Generic[V]):
    """Holds what does the work, and how it is waited for. Its methods are made by `blocking`."""

    def __init__(self, target: V, wait: Wait) -> None:
        self.target = target
        self.wait = wait


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Blocking[Any], P], T]:
    """The method, as one that waits; it takes, gives and raises the same."""

    @wraps(method)
    def call(self: Blocking[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait(method(self.target, *args, **kwargs))

    return call
