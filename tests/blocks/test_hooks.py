"""Hooks, middleware and other functions of an app: those of the wrong kind are refused at import."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock

import pytest

from vertexkit import App, Call, Context, RawCall
from vertexkit.errors import DefinitionError
from vertexkit.ingress.request import read_call
from vertexkit.testing import FakeDialog


async def hook(ctx: Any, failure: Any) -> Any:
    return {"hook": failure.code}


def thread_hook(ctx: Any, failure: Any) -> Any: ...


def delegating_hook(ctx: Any, failure: Any) -> "Awaitable[Any]":
    return hook(ctx, failure)


async def hook_of_one(ctx: Any) -> None: ...


async def yielding_hook(ctx: Any, failure: Any) -> AsyncIterator[None]:
    yield


class AsyncHook:
    async def __call__(self, ctx: Any, failure: Any) -> Any:
        return await hook(ctx, failure)


class ThreadHook:
    def __call__(self, ctx: Any, failure: Any) -> Any: ...


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def middleware(ctx: Any, call_next: Any) -> Any:
    return await call_next(ctx)


def thread_middleware(ctx: Any, call_next: Any) -> Any: ...


async def other_name(ctx: Any, following: Any) -> Any: ...


async def read_later(raw: RawCall) -> Call:
    return read_call(raw)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    yield


@contextlib.contextmanager
def thread_lifespan(app: Any) -> Iterator[None]:
    yield


@contextlib.asynccontextmanager
async def lifespan_of_nothing() -> AsyncIterator[None]:
    yield


async def undecorated(app: Any) -> AsyncIterator[None]:
    yield


async def coroutine_lifespan(app: Any) -> None: ...


class Lifespan:
    def __init__(self, app: Any) -> None: ...
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *error: object) -> None: ...


def opened(app: Any) -> Lifespan:
    return Lifespan(app)


ACCEPTED: dict[str, dict[str, Any]] = {
    "function": {"on_failure": hook},
    "partial": {"on_failure": functools.partial(hook)},
    "object": {"on_failure": AsyncHook()},
    "partial of an object": {"on_failure": functools.partial(AsyncHook())},
    "wrapped": {"on_failure": wrapped(hook)},
    "lambda": {"on_failure": lambda ctx, problem: hook(ctx, failure=problem)},
    "annotated": {"on_failure": delegating_hook},
    "mock": {"on_failure": AsyncMock(return_value={"hook": "internal"})},
    "middleware": {"middleware": [middleware, functools.partial(middleware)], "on_failure": hook},
    "lifespan": {"lifespan": lifespan, "on_failure": hook},
    "lifespan of a class": {"lifespan": Lifespan, "on_failure": hook},
    "lifespan of a function": {"lifespan": opened, "on_failure": hook},
    "reader": {"read_call": lambda raw: Call(*read_call(raw)), "on_failure": hook},
}


@pytest.mark.parametrize("shape", ACCEPTED)
async def test_functions_of_every_shape_are_called(shape: str) -> None:
    """What is accepted at import works: the hook is awaited, and the block fails as it says."""
    app = App(**ACCEPTED[shape])

    @app.block("fail")
    async def fail(ctx: Context) -> None:
        raise ValueError

    run = await FakeDialog(app).run("fail")
    assert run.data == {"hook": "internal"}


ASYNC = "`async def on_failure(ctx, failure)`"
REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "def hook": ({"on_failure": thread_hook}, f"{ASYNC} without `yield`; got a `def` function"),
    "def object": ({"on_failure": ThreadHook()}, "got a `def` function"),
    "partial of a def": ({"on_failure": functools.partial(thread_hook)}, "got a `def` function"),
    "class": ({"on_failure": AsyncHook}, "got the class AsyncHook"),
    "hook of one parameter": ({"on_failure": hook_of_one}, "its parameters are (ctx: Any)"),
    "hook with yield": ({"on_failure": yielding_hook}, "got a generator function"),
    "no function": ({"on_failure": "hook"}, "got an object of type str"),
    "def middleware": ({"middleware": [middleware, thread_middleware]}, "a middleware must be"),
    "other name": ({"middleware": [other_name]}, "call_next"),
    "async reader": ({"read_call": read_later}, "`async def` function, which is not awaited"),
    "no reader": ({"read_call": None}, "got an object of type NoneType"),
    "def lifespan": ({"lifespan": thread_lifespan}, "got a `@contextmanager`"),
    "undecorated lifespan": ({"lifespan": undecorated}, "`@asynccontextmanager` above"),
    "lifespan without yield": ({"lifespan": coroutine_lifespan}, "without `yield`"),
    "lifespan without an app": ({"lifespan": lifespan_of_nothing}, "too many positional"),
    "lifespan of another class": ({"lifespan": AsyncHook}, "no `__aenter__`"),
    "called lifespan": ({"lifespan": lifespan(None)}, "without calling it"),
}


@pytest.mark.parametrize("shape", REJECTED)
def test_a_function_of_the_wrong_kind_is_refused_with_its_line(shape: str) -> None:
    """The error is raised when the app is declared; it has the place, the reason and the right form."""
    functions, reason = REJECTED[shape]
    with pytest.raises(DefinitionError) as caught:
        App(**functions)
    assert str(caught.value).startswith(f"{__file__}:")
    assert reason in str(caught.value)


def test_a_called_hook_is_refused() -> None:
    """A hook that was called by mistake: the error names the function."""
    called = hook(None, None)
    with pytest.raises(DefinitionError, match=r"Pass the function without calling it: hook"):
        App(on_failure=called)  # pyrefly: ignore[bad-argument-type]
    called.close()


async def later(call: Any, inputs: Any) -> str:
    return ""


def of_the_call(call: Any) -> str:
    return ""


@pytest.mark.parametrize("key, reason", [(later, "not awaited"), (of_the_call, "its parameters")])
def test_a_key_of_the_wrong_kind_is_refused(key: Callable[..., Any], reason: str) -> None:
    """A key that is a coroutine would be another one for each call."""
    app = App()
    with pytest.raises(DefinitionError) as caught:

        @app.block("loan", rate="1/hour", key=key)
        async def loan(ctx: Context) -> None: ...

    assert str(caught.value).startswith(f"{__file__}:")
    assert "block 'loan': key must be `def key(call, inputs)`" in str(caught.value)
    assert reason in str(caught.value)
    assert not app.blocks
