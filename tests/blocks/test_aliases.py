"""Aliases of fields: a result has the names that the published schema says."""

import dataclasses
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import from_json
from typing_extensions import TypedDict

from vertexkit import App, BlockFailed, Context
from vertexkit.blocks.signature import dump, read_signature
from vertexkit.testing import FakeDialog

LIMIT = 1000


class Offer(BaseModel):
    monthly: float = Field(1.0, serialization_alias="monthlyPayment")


class Weather(BaseModel):
    temp_max: float = Field(3.0, alias="tempMax")


class Order(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    order_number: int = 7
    best_offer: Offer = Offer()


class ByName(BaseModel):
    model_config = ConfigDict(serialize_by_alias=False)

    total_sum: int = Field(1, alias="totalSum")


class Read(BaseModel):
    name: str = Field("Аня", validation_alias="client")


class Row(TypedDict):
    name: Annotated[str, Field(alias="Name")]


@dataclasses.dataclass
class Place:
    city: Annotated[str, Field(alias="City")] = "Пермь"


RESULTS: list[tuple[Any, Any, Any]] = [
    (Offer, Offer(), {"monthlyPayment": 1.0}),
    (Weather, Weather(), {"tempMax": 3.0}),
    (Order, Order(), {"orderNumber": 7, "bestOffer": {"monthlyPayment": 1.0}}),
    (ByName, ByName(), {"totalSum": 1}),
    (Read, Read(), {"name": "Аня"}),
    (Row, {"Name": "Аня"}, {"Name": "Аня"}),
    (Place, Place(), {"City": "Пермь"}),
    (list[Offer], [Offer()], {"result": [{"monthlyPayment": 1.0}]}),
]


@pytest.mark.parametrize("annotation, value, data", RESULTS)
def test_a_result_has_the_names_of_its_schema(annotation: Any, value: Any, data: Any) -> None:
    """Whatever the model's configuration says, the result has the aliases that the schema has."""

    async def block(ctx: Context) -> Any: ...

    block.__annotations__["return"] = annotation
    schema = read_signature("block", block, {}).result_schema()
    assert from_json(dump(TypeAdapter(annotation), value, LIMIT)) == data
    if schema["type"] == "object":
        assert list(schema["properties"]) == list(data)


async def complete(ctx: Context) -> Offer:
    await ctx.complete(Offer())
    return Offer()


async def without_annotation(ctx: Context) -> Any:
    return {"offer": Offer()}


async def fails(ctx: Context) -> None:
    raise BlockFailed("declined", "No offer.", data={"offer": Offer()})


async def fails_for_the_hook(ctx: Context) -> None:
    raise BlockFailed("hook", "No offer.")


async def hook(ctx: Context, failure: Any) -> Any:
    return Offer() if failure.code == "hook" else None


@pytest.mark.parametrize(
    "handler", [complete, without_annotation, fails, fails_for_the_hook], ids=lambda fn: fn.__name__
)
async def test_all_that_is_sent_has_aliases(handler: Any) -> None:
    """What a handler completes with early, what a failure and the hook have, and nested models."""
    app = App(on_failure=hook)
    app.block("offer")(handler)
    data = (await FakeDialog(app).run("offer")).data
    for name in ("error", "data", "offer"):
        data = data.get(name, data)
    assert data == {"monthlyPayment": 1.0}
