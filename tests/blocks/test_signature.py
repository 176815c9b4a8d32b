"""A handler's signature: its inputs, and their schema."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vertexkit import App, Context, SyncContext
from vertexkit.blocks.signature import Handler, Signature, read_signature
from vertexkit.testing import FakeDialog, Run


class City(StrEnum):
    PERM = "perm"
    KAZAN = "kazan"


class Loan(BaseModel):
    amount: int = Field(gt=0, title="Сумма", examples=[100_000])
    months: int = Field(12, ge=1, le=360, title="Срок, мес.")


def signature(handler: Handler) -> Signature:
    return read_signature("loan", handler, {})


async def run(handler: Handler, **inputs: Any) -> Run:
    app = App()
    app.block("loan")(handler)
    return await FakeDialog(app).run("loan", **inputs)


async def test_a_model_is_handed_over_as_it_was_validated() -> None:
    """A handler with one model gets that model, its types turned and its defaults filled in."""
    seen = []

    async def loan(ctx: Context, request: Loan) -> None:
        seen.append(request)

    await run(loan, amount="100000")
    assert seen == [Loan(amount=100_000, months=12)]


async def test_plain_parameters_are_handed_over_by_name() -> None:
    """A handler with plain parameters gets found as its annotation says, defaults filled in."""
    seen: list[Any] = []

    async def plan(
        ctx: Context,
        city: City,
        day: date,
        guests: Annotated[int, Field(gt=0)],
        sums: list[Decimal],
        request: Loan,
        note: str | None = None,
        *,
        kind: Literal["short", "long"] = "short",
    ) -> None:
        seen.extend([city, day, guests, sums, request, note, kind])

    ran = await run(
        plan, city="perm", day="2026-02-28", guests="2", sums=["0.10"], request={"amount": 1}
    )
    assert ran.ok
    assert seen[:4] == [City.PERM, date(2026, 2, 28), 2, [Decimal("0.10")]]
    assert seen[4:] == [Loan(amount=1), None, "short"]


async def test_a_default_is_not_shared_by_executions() -> None:
    """What one execution does to a default list, the next one does not see."""
    lengths = []

    async def collect(ctx: Context, names: list[str] = []) -> None:  # noqa: B006 - the claim
        names.append("x")
        lengths.append(len(names))

    app = App()
    app.block("collect")(collect)
    async with FakeDialog(app) as dialog:
        await dialog.run("collect")
        await dialog.run("collect")
    assert lengths == [1, 1]


async def test_unknown_inputs_are_ignored() -> None:
    """A bot may send more than a block takes; the rest is ignored."""
    app = App()

    @app.block("loan")
    async def loan(ctx: Context, amount: int) -> dict[str, Any]:
        return {"amount": amount, "all": ctx.inputs}

    @app.block("bare")
    async def bare(ctx: Context) -> bool:
        return True

    async with FakeDialog(app) as dialog:
        token = dialog.platform.issue("loan")
        ran = await dialog.call("loan", {"amount": 1, "extra": [2]}, token)
        assert ran.data == {"amount": 1, "all": {"amount": 1, "extra": [2]}}
        ran = await dialog.call("bare", {"extra": 1}, dialog.platform.issue("bare"))
        assert ran.data == {"result": True}


async def test_a_strict_model_keeps_its_strictness() -> None:
    """A model that forbids extra fields rejects them here too, with 422 and their place."""

    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: int

    async def loan(ctx: Context, request: Strict) -> None: ...

    ran = await run(loan, amount=1, sum=2)
    assert ran.status == 422
    assert ran.answer["errors"] == [{"loc": ["sum"], "msg": "Extra inputs are not permitted"}]


async def test_invalid_inputs_are_rejected_with_their_places() -> None:
    """The response names found invalid input and the reason, and never repeats its value."""

    class Secret(BaseModel):
        pin: int

        @field_validator("pin")
        @classmethod
        def check(cls, value: int) -> int:
            raise ValueError("four digits")

    async def loan(ctx: Context, amount: int, card: Secret) -> None: ...

    ran = await run(loan, amount="a lot", card={"pin": 31337})
    assert ran.status == 422
    assert [error["loc"] for error in ran.answer["errors"]] == [["amount"], ["card", "pin"]]
    assert "four digits" in ran.answer["errors"][1]["msg"]
    assert "a lot" not in str(ran.answer)
    assert "31337" not in str(ran.answer)


async def test_inputs_may_have_names_that_models_use() -> None:
    """A bot's variable may be called `schema`, `json`, `copy` or `model_config`."""

    async def odd(
        ctx: Context,
        schema: str,
        json: int,
        copy: bool,
        model_name: str,
        class_: Annotated[str, Field(alias="class")],
    ) -> list[Any]:
        return [schema, json, copy, model_name, class_]

    ran = await run(odd, schema="s", json=1, copy=True, model_name="m", **{"class": "c"})
    assert ran.data == {"result": ["s", 1, True, "m", "c"]}


def test_the_input_schema_is_the_contract() -> None:
    """JSON Schema of the inputs has titles, bounds, examples, choices and what is required."""

    async def loan(ctx: Context, request: Loan) -> None: ...

    schema = signature(loan).input_schema()
    assert schema["required"] == ["amount"]
    assert schema["properties"]["amount"] == {
        "examples": [100_000],
        "exclusiveMinimum": 0,
        "title": "Сумма",
        "type": "integer",
    }
    assert schema["properties"]["months"]["default"] == 12

    def plan(
        ctx: SyncContext,
        kind: Literal["short", "long"],
        guests: Annotated[int, Field(gt=0, description="Сколько вас?")] = 2,
    ) -> None: ...

    schema = signature(plan).input_schema()
    assert schema["title"] == "loan"
    assert schema["required"] == ["kind"]
    assert schema["properties"]["kind"]["enum"] == ["short", "long"]
    guests = schema["properties"]["guests"]
    assert (guests["title"], guests["description"]) == ("Guests", "Сколько вас?")
    assert guests["default"] == 2
    for found in (schema, signature(loan).input_schema()):
        jsonschema.Draft202012Validator.check_schema(found)


def test_the_schema_agrees_with_the_validation() -> None:
    """What the schema refuses the block refuses, and what it takes the block takes."""

    async def loan(ctx: Context, request: Loan) -> None: ...

    read = signature(loan)
    validator = jsonschema.Draft202012Validator(read.input_schema())
    for inputs in ({"amount": 1}, {"amount": 5, "months": 360}):
        assert validator.is_valid(inputs)
        read.read(inputs)
    refused: list[dict[str, Any]] = [
        {},
        {"amount": 0},
        {"amount": 1, "months": 361},
        {"amount": None},
    ]
    for inputs in refused:
        assert not validator.is_valid(inputs)
        with pytest.raises(ValidationError):
            read.read(inputs)
