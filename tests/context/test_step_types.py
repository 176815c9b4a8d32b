"""The type of a step's result, found in every shape of function that Python can call."""

import dataclasses
import functools
import threading
from collections.abc import Awaitable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import pytest
from pydantic import BaseModel

from vertexkit import App, Context
from vertexkit.testing import FakeDialog

if TYPE_CHECKING:
    from asyncio import Server
T = TypeVar("T")


@dataclasses.dataclass
class Point:
    x: int
    y: Decimal


async def find(server: "Server | None", at: int) -> Point:
    return Point(at, Decimal(1))


class Finder:
    """A point, found in every way that a class offers."""

    async def __call__(self, at: int = 3) -> Point:
        return Point(at, Decimal(1))

    async def method(self, at: "Server | int" = 3) -> "Point":
        return await self(3)

    @classmethod
    async def of_class(cls) -> Point:
        return await cls()(3)

    @staticmethod
    def static() -> Point:
        return Point(3, Decimal(1))

    @functools.lru_cache  # noqa: B019 - what it keeps is small
    def cached(self) -> Point:
        return Point(3, Decimal(1))


class ThreadFinder:
    def __call__(self) -> Point:
        return Point(3, Decimal(1))


class Place(BaseModel):
    name: str = "Пермь"

    @classmethod
    def load(cls) -> Self:
        return cls()

    async def reload(self) -> Self:
        return self


class Page(BaseModel, Generic[T]):
    item: T


@dataclasses.dataclass
class Box(Generic[T]):
    item: T


def logged(fn: Any) -> Any:
    @functools.wraps(fn)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await fn(*args, **kwargs)

    return wrapper


def later_point() -> Awaitable[Point]:
    return find(None, 3)


def local_point() -> Any:
    """Return a function whose annotation is the name of a class of its surroundings."""

    @dataclasses.dataclass
    class Local:
        x: int

    def make() -> "Local":
        return Local(1)

    return make, Local(1)


POINT = Point(3, Decimal(1))
SHAPES: dict[str, tuple[Any, Any]] = {
    "parameter of a type checker only": (functools.partial(find, None, 3), POINT),
    "object with async __call__": (Finder(), POINT),
    "object with __call__": (ThreadFinder(), POINT),
    "method": (Finder().method, POINT),
    "class method": (Finder.of_class, POINT),
    "static method": (vars(Finder)["static"], POINT),
    "cached method": (Finder().cached, POINT),
    "partial": (functools.partial(Finder().method, at=3), POINT),
    "partial of a partial": (functools.partial(functools.partial(find, None), 3), POINT),
    "partial of an object": (functools.partial(Finder(), 3), POINT),
    "decorated": (logged(functools.partial(find, None, 3)), POINT),
    "decorated object": (logged(Finder()), POINT),
    "decorated twice": (logged(logged(Finder().method)), POINT),
    "model": (functools.partial(Place, name="Казань"), Place(name="Казань")),
    "model itself": (Place, Place()),
    "generic model": (functools.partial(Page[int], item=1), Page[int](item=1)),
    "generic dataclass": (functools.partial(Box[date], date(2026, 1, 1)), Box(date(2026, 1, 1))),
    "class of Python": (functools.partial(Decimal, "0.10"), Decimal("0.10")),
    "Self of a class": (Place.load, Place()),
    "Self of an object": (Place(name="Казань").reload, Place(name="Казань")),
    "def that returns a coroutine": (later_point, POINT),
    "local class": local_point(),
    "function of C": (functools.partial(max, [1, 2]), 2),
    "class that pydantic does not know": (functools.partial(zip, [1], [2]), [[1, 2]]),
    "Self without an object": (functools.partial(Place.reload, Place()), {"name": "Пермь"}),
}


@pytest.mark.parametrize("fn,value", SHAPES.values(), ids=SHAPES)
async def test_the_annotation_is_found_whatever_is_called(twice: Any, fn: Any, value: Any) -> None:
    """A step's result has the annotated type, or the types of JSON if no annotation can be used."""
    got = await twice(fn)
    assert got == [value, value]
    assert {type(one).__name__ for one in got} == {type(value).__name__}


async def test_an_object_with_an_async_call_runs_on_the_event_loop(
    app: App, dialog: FakeDialog
) -> None:
    """It is called as an `async def` function, so that a step that is retried can have a timeout."""

    threads = list[threading.Thread]()

    class Caller:
        async def __call__(self) -> int:
            threads.append(threading.current_thread())
            return 1

    @app.block("step")
    async def step(ctx: Context) -> int:
        return await ctx.retrying(2, timeout=5).step("it", functools.partial(Caller()))

    assert (await dialog.run("step")).data == {"result": 1}
    assert threads == [threading.main_thread()]
