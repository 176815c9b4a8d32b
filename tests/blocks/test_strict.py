"""Strict inputs: JSON has no dates, enumerations and sets, and a strict model accepts them all the same."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, Strict, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import to_jsonable_python

from vertexkit import App, Context
from vertexkit.blocks.signature import Handler, Signature, read_signature
from vertexkit.testing import FakeDialog


class City(StrEnum):
    PERM = "perm"
    KAZAN = "kazan"


class Meeting(BaseModel):
    model_config = ConfigDict(strict=True)

    at: datetime
    city: City = City.PERM
    tags: set[str] = set()
    guests: int = 0


class Nested(BaseModel):
    meeting: Meeting


class StrictField(BaseModel):
    at: datetime = Field(strict=True)


@dataclass(config=ConfigDict(strict=True))
class Slot:
    at: datetime


class Lenient(BaseModel):
    """Only its default, its description and how pydantic describes types look as if it was strict."""

    amount: Decimal = Decimal(1)
    key: SecretStr = SecretStr("")
    file: Path = Path()
    number: int = Field(1, strict=True)
    options: dict[str, bool] = Field({"strict": True}, json_schema_extra={"strict": True})


async def strict_model(ctx: Context, request: Meeting) -> None: ...
async def nested_model(ctx: Context, request: Nested) -> None: ...
async def strict_field(ctx: Context, request: StrictField) -> None: ...
async def strict_parameter(ctx: Context, at: Annotated[datetime, Strict()]) -> None: ...
async def strict_secret(ctx: Context, key: Annotated[SecretStr, Strict()]) -> None: ...
async def strict_dataclass(ctx: Context, slot: Slot | None = None) -> None: ...
async def lenient(ctx: Context, request: Lenient) -> None: ...


def signature(handler: Handler) -> Signature:
    return read_signature("meet", handler, {})


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = {"at": "2026-01-01T12:00:00Z"}
ACCEPTED: list[tuple[Handler, dict[str, Any]]] = [
    (strict_model, {**AT, "city": "kazan", "tags": ["a"]}),
    (nested_model, {"meeting": {**AT, "city": "kazan", "tags": ["a"], "guests": 2}}),
    (strict_field, AT),
    (strict_parameter, AT),
    (strict_dataclass, {"slot": AT}),
]


@pytest.mark.parametrize("handler, inputs", ACCEPTED)
def test_a_strict_model_accepts_what_its_schema_says(
    handler: Handler, inputs: dict[str, Any]
) -> None:
    """What is valid by the published JSON Schema is valid, at any depth."""
    made = signature(handler)
    jsonschema.validate(inputs, made.input_schema())
    read = made.read(inputs).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert read == inputs


@pytest.mark.parametrize(
    "name, value", [("guests", "2"), ("guests", 2.5), ("at", 5), ("tags", "a")]
)
def test_a_strict_model_stays_strict(name: str, value: object) -> None:
    """A value of another type of JSON is rejected, with its place."""
    with pytest.raises(ValidationError) as caught:
        signature(strict_model).read({**AT, name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_a_reader_of_an_author_may_return_objects_of_python() -> None:
    """They count as the JSON that the journal stores; a text may be cut in an emoji."""
    read = signature(strict_model).read({"at": NOON, "city": City.KAZAN, "tags": ["\ud83d"]})
    assert read == Meeting(at=NOON, city=City.KAZAN, tags={"\ufffd"})


def test_a_lenient_model_is_validated_as_before() -> None:
    """Its inputs do not become JSON: an object of Python reaches its validators unchanged."""
    made = signature(lenient)
    amount = Decimal("0.10")
    assert not made.is_strict
    assert vars(made.read({"amount": amount}))["amount"] is amount
    assert signature(strict_model).is_strict
    assert signature(strict_secret).is_strict


async def test_a_block_with_strict_inputs_runs_and_runs_again() -> None:
    """The call is accepted, and a later run reads the same inputs from the journal."""
    app, seen = App(), []

    @app.block("meet")
    async def meet(ctx: Context, request: Meeting) -> None:
        seen.append(request)
        await ctx.send_message("Saved.")

    inputs = to_jsonable_python(Meeting(at=NOON, tags={"a"}))
    run = await FakeDialog(app).call("meet", inputs)
    assert run.ok
    run = await FakeDialog(app).call("meet", inputs, crash_after=1)
    assert (run.ok, run.crashes) == (True, 1)
    assert seen == [Meeting(at=NOON, tags={"a"})] * 3
