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
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit.context.arguments import digest_arguments


class Order(BaseModel):
    item: str
    tags: set[str] = set()


class Extra(BaseModel, extra="allow"):
    item: str


@dataclasses.dataclass
class Point:
    x: Any


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
