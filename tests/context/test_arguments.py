"""Digests of a step's arguments: equal for equal arguments, in every process."""

import dataclasses
import io
import subprocess
import sys
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, computed_field

from vertexkit import App, Context
from vertexkit.context.arguments import digest_arguments
from vertexkit.testing import FakeDialog


class Order(BaseModel):
    item: str
    tags: set[str] = set()


class Extra(BaseModel, extra="allow"):
    item: str


@dataclasses.dataclass
class Point:
    x: Any


class Basket(BaseModel, extra="allow"):
    prices: list[float]

    @computed_field
    @cached_property
    def total(self) -> float:
        return sum(self.prices)

    @cached_property
    def largest(self) -> float:
        return max(self.prices)


@dataclasses.dataclass
class Route:
    stops: list[int]

    @cached_property
    def length(self) -> int:
        return len(self.stops)


class Colour(Enum):
    RED = 1
    BLUE = 2


class Client:
    """What has no value of its own."""


def do(*_: Any, **__: Any) -> None: ...


def digest(*args: Any, **kwargs: Any) -> str:
    return digest_arguments(do, args, kwargs)


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
SAME = [
    (1.5, 1.5),
    ([1, "a"], (1, "a")),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1}, OrderedDict(a=1)),
    ({"x", "y", "z"}, {"z", "y", "x"}),
    (Order(item="tea", tags={"a", "b"}), Order(item="tea", tags={"b", "a"})),
    (Client(), Client()),
    ([Client(), 1], [Client(), 1]),
    (io.StringIO("a"), io.StringIO("b")),
    (float("nan"), float("nan")),
    ("cut \ud83d", "cut \ufffd"),
    (CIRCLE, CIRCLE),
    ((x for x in "a"), (x for x in "b")),
]
DIFFERENT = [
    (1, 2),
    (1, True),
    (1, "1"),
    (None, "null"),
    (0.1, 0.2),
    (b"a", b"b"),
    ("a", b"a"),
    ([1, 2], [2, 1]),
    ([[1], 2], [1, [2]]),
    ({"a": 1}, {"a": 2}),
    ({1: "a"}, {2: "a"}),
    ({"a"}, ["a"]),
    (Order(item="tea"), Order(item="milk")),
    (Extra(item="tea", size=1), Extra(item="tea", size=2)),
    (Point(1), Point(2)),
    (Point(Client()), Point(1)),
    (Colour.RED, Colour.BLUE),
    (date(2026, 1, 1), date(2026, 1, 2)),
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)),
    (timedelta(1), timedelta(2)),
    (Decimal("1.0"), Decimal("1.1")),
    (uuid.UUID(int=1), uuid.UUID(int=2)),
    (Path("a"), Path("b")),
    ([Client(), 1], [Client(), 2]),
    (10**40, 10**40 + 1),
    (float("inf"), float("-inf")),
]


@pytest.mark.parametrize("first, second", SAME, ids=range(len(SAME)))
def test_equal_arguments_have_one_digest(first: Any, second: Any) -> None:
    """Also what has no value counts as equal: a client, a file, an iterator."""
    assert digest(first) == digest(second)
    assert digest(a=first) == digest(a=second)


@pytest.mark.parametrize("first, second", DIFFERENT, ids=range(len(DIFFERENT)))
def test_other_arguments_have_another_digest(first: Any, second: Any) -> None:
    """By value or by type."""
    assert digest(first) != digest(second)
    assert digest([first]) != digest([second])
    assert digest(a=first) != digest(a=second)


BASKETS: list[Any] = [Basket(prices=[1, 2]), Basket.model_validate({"prices": [1], "note": "x"})]


@pytest.mark.parametrize("basket", BASKETS, ids=["model", "model with an extra field"])
def test_what_a_model_caches_does_not_count(basket: Basket) -> None:
    """A digest is the same before and after a `cached_property` was read; fields still count."""
    before = digest(basket), digest([basket])
    assert (basket.total, basket.largest) == (sum(basket.prices), max(basket.prices))
    assert (digest(basket), digest([basket])) == before
    assert digest(basket) != digest(Basket(prices=[7]))


def test_what_a_dataclass_caches_does_not_count() -> None:
    """As for a model: only the fields count."""
    route = Route([1, 2])
    before = digest(route)
    assert route.length == 2
    assert digest(route) == before


def test_digests_stay_as_earlier_versions_made_them() -> None:
    """A journal that an earlier version has written matches: these digests are from version 0.1."""
    assert digest(Order(item="tea", tags={"a", "b"})) == "02265e48d23946e2"
    assert digest(Extra.model_validate({"item": "tea", "size": 1})) == "5103c1f7d87bc02b"
    assert digest(Point(1)) == "977f508bff1e4a60"


async def test_an_argument_that_has_cached_something_is_recognised_after_a_crash(
    app: App, dialog: FakeDialog
) -> None:
    """A step reads a cached property of a model, which the next step gets after a crash."""

    async def charge(basket: Basket) -> str:
        return f"charged {basket.total}"

    @app.block("order")
    async def order(ctx: Context, basket: Basket) -> str:
        await ctx.step("reserve", charge, basket)
        return await ctx.step("charge", charge, basket)

    run = await dialog.run("order", crash_after="charge", prices=[1, 2])
    assert (run.data, run.crashes) == ({"result": "charged 3.0"}, 1)


def test_arguments_of_a_partial_count() -> None:
    """As if they were passed to the step."""
    assert digest_arguments(partial(do, 1), (2,), {}) == digest(1, 2)
    assert digest_arguments(partial(partial(do, 1, b=3), 2), (), {"b": 4}) == digest(1, 2, b=4)


def test_no_argument_is_read_or_changed() -> None:
    """An iterator is still whole."""
    numbers = iter([1, 2])
    digest(numbers)
    assert list(numbers) == [1, 2]


def test_a_digest_is_the_same_in_every_process() -> None:
    """Whatever the seed of its hashes is."""
    code = (
        "from vertexkit.context.arguments import digest_arguments as d\n"
        "print(d(print, ({'a', 'b', 'c'}, {'x': {'y', 'z'}}), {'k': frozenset('abc')}))"
    )
    digests = set[str]()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
