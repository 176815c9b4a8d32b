"""Handlers of every shape that Python can call: served, or refused at import with file and line."""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, overload

import pytest
from pydantic import BaseModel

from vertexkit import App, Context, SyncContext
from vertexkit.errors import DefinitionError
from vertexkit.testing import FakeDialog

Result = dict[str, str]


async def greet(ctx: Context, greeting: str, name: str = "Аня") -> Result:
    """Greet a person."""
    await ctx.send_message(f"{greeting}, {name}")
    return {"said": f"{greeting}, {name}"}


def greet_in_thread(ctx: SyncContext, greeting: str, name: str = "Аня") -> Result:
    """Greet a person."""
    ctx.send_message(f"{greeting}, {name}")
    return {"said": f"{greeting}, {name}"}


class Greeter:
    """Greet a person."""

    def __init__(self, greeting: str = "Hello") -> None:
        self.greeting = greeting

    async def __call__(self, ctx: Context, name: str = "Аня") -> Result:
        return await greet(ctx, self.greeting, name)

    async def method(self, ctx: Context, name: str = "Аня") -> Result:
        """Greet a person."""
        return await greet(ctx, self.greeting, name)

    def thread_method(self, ctx: SyncContext, name: str = "Аня") -> Result:
        """Greet a person."""
        return greet_in_thread(ctx, self.greeting, name)

    @staticmethod
    async def static(ctx: Context, name: str = "Аня") -> Result:
        """Greet a person."""
        return await greet(ctx, "Hello", name)

    @classmethod
    async def of_class(cls, ctx: Context, name: str = "Аня") -> Result:
        """Greet a person."""
        return await greet(ctx, "Hello", name)


class ThreadGreeter:
    """Greet a person."""

    def __call__(self, ctx: SyncContext, name: str = "Аня") -> Result:
        return greet_in_thread(ctx, "Hello", name)


def wrapped(handler: Any) -> Any:
    @functools.wraps(handler)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await handler(*args, **kwargs)

    return wrapper


def wrapped_by_def(handler: Any) -> Any:
    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    return wrapper


def unmarked(handler: Any) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await handler(*args, **kwargs)

    return wrapper


@overload
async def overloaded(ctx: Context, name: str) -> Result: ...
@overload
async def overloaded(ctx: Context, name: str, more: str) -> Result: ...
async def overloaded(ctx: Context, name: str = "Аня", more: str = "") -> Result:
    """Greet a person."""
    return await greet(ctx, "Hello", name)


ACCEPTED: dict[str, Any] = {
    "partial": functools.partial(greet, greeting="Hello"),
    "partial of a def": functools.partial(greet_in_thread, greeting="Hello"),
    "partial of a partial": functools.partial(functools.partial(greet), greeting="Hello"),
    "partial of a method": functools.partial(Greeter().method),
    "partial of an object": functools.partial(Greeter()),
    "method": Greeter().method,
    "def method": Greeter().thread_method,
    "static method": Greeter.static,
    "staticmethod object": vars(Greeter)["static"],
    "class method": Greeter.of_class,
    "object": Greeter(),
    "def object": ThreadGreeter(),
    "wrapped": wrapped(Greeter().method),
    "wrapped object": wrapped(Greeter()),
    "wrapped def": wrapped_by_def(Greeter().thread_method),
    "wrapped twice": wrapped(wrapped(Greeter().method)),
    "overloaded": overloaded,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("shape", ACCEPTED)
async def test_what_can_be_called_is_served(shape: str) -> None:
    """It runs, in a thread if it is a `def`; its inputs, its description and its file are known."""
    app = App()
    assert app.block("greet")(ACCEPTED[shape]) is ACCEPTED[shape]
    run = await FakeDialog(app).run("greet", name="Оля")
    assert run.data == {"said": "Hello, Оля"}
    assert [str(message) for message in run.messages] == ["Hello, Оля"]
    block = app.blocks["greet"]
    assert "name" in block.signature.input_schema()["properties"]
    assert "greeting" not in block.signature.input_schema()["properties"]
    assert block.description == "Greet a person."
    with pytest.raises(DefinitionError, match=rf"^{__file__}:\d+: the name 'greet' is taken"):
        app.block("greet")(ACCEPTED[shape])


async def test_a_lambda_is_served() -> None:
    """Its parameter is the context if it is called `ctx`."""
    app = App()
    app.block("answer")(lambda ctx: {"answer": 42})
    assert (await FakeDialog(app).run("answer")).data == {"answer": 42}


async def yields(ctx: Context) -> AsyncIterator[str]:
    yield "x"


def yields_in_thread(ctx: SyncContext) -> Iterator[str]:
    yield "x"


class Yields:
    async def __call__(self, ctx: Context) -> AsyncIterator[str]:
        yield "x"


@pytest.fixture
def coroutine() -> Iterator[Any]:
    made = greet(None, "Hello")  # pyrefly: ignore[bad-argument-type]
    yield made
    made.close()


HANDLER: Any = greet
REJECTED: dict[str, tuple[Any, str]] = {
    "async generator": (yields, "cannot `yield`"),
    "generator": (yields_in_thread, "cannot `yield`"),
    "generator method": (Yields().__call__, "cannot `yield`"),
    "generator object": (Yields(), "cannot `yield`"),
    "partial of a generator": (functools.partial(yields), "cannot `yield`"),
    "class": (Greeter, "got the class Greeter"),
    "built-in class": (dict, "got the class dict"),
    "built-in function": (print, "not written in Python"),
    "method of a built-in": ([].append, "not written in Python"),
    "partial of a built-in": (functools.partial(print), "not written in Python"),
    "classmethod object": (vars(Greeter)["of_class"], "a classmethod inside of its class"),
    "partialmethod": (functools.partialmethod(greet), "a partialmethod inside of its class"),
    "unbound method": (Greeter.method, "does not take ctx"),
    "decorated without wraps": (unmarked(greet), "does not take ctx"),
    "async made def": (wrapped_by_def(Greeter().method), "wrapper with `async def`"),
    "object made def": (wrapped_by_def(Greeter()), "wrapper with `async def`"),
    "context given": (functools.partial(HANDLER, None), "must be ctx: Context"),
    "None": (None, "an object of type NoneType"),
    "text": ("greet", "an object of type str"),
    "module": (sys, "an object of type module"),
}


@pytest.mark.parametrize("shape", REJECTED)
def test_what_cannot_be_a_handler_is_refused_with_its_line(shape: str) -> None:
    """The error has a file, a line and a reason, whatever the object is."""
    handler, reason = REJECTED[shape]
    app = App()
    with pytest.raises(DefinitionError) as caught:
        app.block("greet")(handler)
    assert str(caught.value).startswith(f"{__file__}:")
    assert reason in str(caught.value)
    assert not app.blocks


def test_a_coroutine_is_refused(coroutine: Any) -> None:
    """A handler that was called by mistake: the error names the function."""
    with pytest.raises(
        DefinitionError, match=r"a coroutine\. Pass the function .*: greet"
    ) as caught:
        App().block("greet")(coroutine)
    assert str(caught.value).startswith(f"{__file__}:")


@pytest.mark.parametrize("make", [wrapped, functools.partial, staticmethod])
def test_annotations_of_every_shape_may_be_local(make: Callable[[Any], Any]) -> None:
    """Annotations that are texts use the names of the function that defines the handler."""

    class Person(BaseModel):
        name: str

    async def handler(ctx: "Context", person: "Person | None" = None) -> "None": ...

    app = App()
    app.block("greet")(make(handler))
    assert "person" in app.blocks["greet"].signature.input_schema()["properties"]
