"""A handler's result: what is sent to the platform, and what cannot be sent."""

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import jsonschema
import pytest
from pydantic import BaseModel, PlainSerializer, TypeAdapter
from pydantic_core import from_json
from typing_extensions import TypedDict

from vertexkit import Context
from vertexkit.blocks.signature import BadResult, dump, read_signature

LIMIT = 256 * 1024
anything: TypeAdapter[Any] = TypeAdapter(Any)


class City(StrEnum):
    PERM = "perm"
    KAZAN = "kazan"


class Offer(BaseModel):
    monthly: float
    on: date | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Pair(NamedTuple):
    left: int
    right: str


class Row(TypedDict):
    name: str


Spoken = Annotated[Any, PlainSerializer(str, when_used="json")]

RESULTS = [
    (Offer, Offer(monthly=1.5), {"monthly": 1.5, "on": None}),
    (Offer, {"monthly": "1.5"}, {"monthly": 1.5, "on": None}),
    (Offer | None, None, None),
    (None, None, None),
    (Point, Point(1), {"x": 1, "y": 0}),
    (Row, {"name": "Аня"}, {"name": "Аня"}),
    (dict[str, Decimal], {"sum": Decimal("0.10")}, {"sum": "0.10"}),
    (list[int], [1, 2], {"result": [1, 2]}),
    (Pair, Pair(1, "б"), {"result": [1, "б"]}),
    (str, "текст", {"result": "текст"}),
    (int, 7, {"result": 7}),
    (bool, False, {"result": False}),
    (City, City.PERM, {"result": "perm"}),
    (uuid.UUID, uuid.UUID(int=1), {"result": "00000000-0000-0000-0000-000000000001"}),
    (Any, Offer(monthly=2, on=date(2026, 1, 2)), {"monthly": 2.0, "on": "2026-01-02"}),
    (Any, Point(3, 4), {"x": 3, "y": 4}),
    (Any, {"a": {1}, "b": (2, None)}, {"a": [1], "b": [2, None]}),
    (Any, None, None),
    (tuple[Spoken, None], (Ellipsis, None), {"result": ["Ellipsis", None]}),
    (bytes, b"null", {"result": "null"}),
]


@pytest.mark.parametrize("annotation, value, data", RESULTS)
def test_every_serialisable_result_becomes_an_object_or_null(
    annotation: Any, value: Any, data: Any
) -> None:
    """A model, a dataclass, a dict and None are sent unchanged; other values as `result`."""
    assert from_json(dump(TypeAdapter(annotation), value, LIMIT)) == data


def test_a_result_is_utf8_not_escapes() -> None:
    """Russian text goes out as it is written."""
    assert dump(anything, {"город": "Пермь"}, LIMIT) == '{"город":"Пермь"}'.encode()


def test_the_result_schema_says_what_goes_out() -> None:
    """The return annotation is the result's schema; without one any result is allowed."""

    async def loan(ctx: Context) -> Offer:
        return Offer(monthly=1)

    schema = read_signature("loan", loan, {}).result_schema()
    assert set(schema["properties"]) == {"monthly", "on"}
    jsonschema.validate(from_json(dump(TypeAdapter(Offer), Offer(monthly=1), LIMIT)), schema)

    async def free(ctx: Context): ...  # pyrefly: ignore[unannotated-return]

    assert read_signature("free", free, {}).result_schema() == {}


BAD = [
    (Any, object(), "cannot be serialised to JSON"),
    (Any, {"rate": float("nan")}, "cannot be serialised to JSON"),
    (Any, [None, (Offer(monthly=float("-inf")),)], "cannot be serialised to JSON"),
    (float, float("inf"), "cannot be serialised to JSON"),
    (Offer, None, "does not match the return annotation"),
    (Offer, {"monthly": "much"}, "(monthly: "),
    (Any, "x" * LIMIT, f"the limit is {LIMIT}"),
]


@pytest.mark.parametrize("annotation, value, why", BAD)
def test_a_result_that_cannot_be_sent_says_why(annotation: Any, value: Any, why: str) -> None:
    """An object, NaN, too much, or what the annotation did not promise."""
    with pytest.raises(BadResult) as caught:
        dump(TypeAdapter(annotation), value, LIMIT)
    assert why in str(caught.value)


def test_a_result_that_contains_itself_is_rejected() -> None:
    """A list inside itself has no JSON; it neither hangs nor ends the process."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(BadResult, match="cannot be serialised to JSON"):
        dump(anything, loop, LIMIT)


def test_the_words_nan_and_infinity_may_be_sent() -> None:
    """Only the numbers are rejected, not a text that contains their names."""
    data = {"NaN": "Infinity"}
    assert from_json(dump(anything, data, LIMIT)) == data


class Report(BaseModel):
    name: str

    @cached_property
    def lines(self) -> Iterator[str]:
        return iter(["x" * LIMIT])


@dataclasses.dataclass
class Letter:
    name: str

    @cached_property
    def lines(self) -> Iterator[str]:
        return iter(["x" * LIMIT])


@pytest.mark.parametrize("report", [Report(name="Аня"), Letter("Аня")], ids=["model", "dataclass"])
def test_what_an_object_caches_is_not_sent(report: Report | Letter) -> None:
    """It counts for no limit, and an iterator among it is not read."""
    lines = report.lines
    assert from_json(dump(anything, report, LIMIT)) == {"name": "Аня"}
    assert list(lines) == ["x" * LIMIT]


def test_the_limit_counts_bytes_and_includes_the_last() -> None:
    """A result of exactly the limit is sent, one byte more is not; Cyrillic counts double."""
    data = dump(anything, {"t": "я" * 10}, 28)
    assert len(data) == 28
    with pytest.raises(BadResult, match="28 bytes; the limit is 27"):
        dump(anything, {"t": "я" * 10}, 27)
