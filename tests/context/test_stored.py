"""What steps and the memory store is read back, whatever aliases its fields have."""

import dataclasses
from typing import Annotated, Any, Literal

import pydantic.dataclasses
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from typing_extensions import TypedDict

from vertexkit import App, Context, Retry
from vertexkit.context.stored import stored_type
from vertexkit.serialization import ANYTHING, dump_json
from vertexkit.testing import FakeDialog

LIMIT = 1000


class Weather(BaseModel):
    temp_max: float = Field(alias="tempMax")


class ByAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False, extra="forbid")

    temp_max: float = Field(alias="tempMax")


class TwoAliases(BaseModel):
    temp: float = Field(validation_alias="tempIn", serialization_alias="tempOut")


class WithPath(BaseModel):
    temp: float = Field(validation_alias=AliasPath("main", "temp"))
    wind: float = Field(validation_alias=AliasChoices("wind_speed", AliasPath("winds", 0)))


class Generated(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    max_temp: float
    inner_weather: Weather | None = None


class Later(BaseModel):
    temp_max: float = Field(0.0, alias="tempMax")
    wind: float | None = Field(None, alias="windSpeed")


class Swapped(BaseModel):
    """The alias of a field is the name of another one."""

    ref: int = Field(alias="id")
    id: int = Field(0, alias="number")


class Cat(BaseModel):
    kind: Literal["cat"] = Field(alias="petKind")


class Dog(BaseModel):
    kind: Literal["dog"] = Field(alias="petKind")


class Household(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


@pydantic.dataclasses.dataclass
class Place:
    city: str = Field(alias="City")


@dataclasses.dataclass
class Plain:
    city: Annotated[str, Field(alias="City")]


class Row(TypedDict):
    city: Annotated[str, Field(alias="City")]


VALUES: dict[str, tuple[Any, Any]] = {
    "alias": (Weather, {"tempMax": 3.0}),
    "only by alias": (ByAlias, {"tempMax": 3.0}),
    "two aliases": (TwoAliases, {"tempIn": 3.0}),
    "path": (WithPath, {"main": {"temp": 3}, "winds": [1]}),
    "generator": (Generated, {"maxTemp": 3, "innerWeather": {"tempMax": 1}}),
    "swapped": (Swapped, {"id": 1, "number": 2}),
    "swapped with a default": (Swapped, {"id": 1}),
    "discriminator": (Household, {"pet": {"petKind": "cat"}}),
    "dataclass": (Place, {"City": "Пермь"}),
    "plain dataclass": (Plain, {"City": "Пермь"}),
    "list": (list[Weather], [{"tempMax": 3.0}]),
    "typed dict": (Row, {"City": "Пермь"}),
}


@pytest.mark.parametrize("annotation, data", VALUES.values(), ids=VALUES)
async def test_a_value_with_aliases_is_read_back(
    app: App, dialog: FakeDialog, annotation: Any, data: Any
) -> None:
    """A step and the memory return what they were given, in the first run and in the next one."""
    value = TypeAdapter(annotation).validate_python(data)
    got: list[Any] = []

    def make() -> Any:
        return value

    make.__annotations__["return"] = annotation

    @app.block("keep")
    async def keep(ctx: Context) -> None:
        got.append(await ctx.step("make", make))
        await ctx.memory.set("value", value)
        got.append(await ctx.memory.get("value", annotation))
        if ctx.attempt == 1:
            raise Retry

    assert (await dialog.in_dialog(1).run("keep")).ok
    assert got == [value] * 4


JSON = [name for name in VALUES if name not in {"typed dict", "swapped with a default"}]
"""Without a dict that is not of its own type, and one whose names and aliases are the same words."""


@pytest.mark.parametrize("name", JSON)
def test_json_of_another_service_is_read_by_its_aliases(name: str) -> None:
    """A function annotated with a model may return the dict from which the model is made."""
    annotation, data = VALUES[name]
    shape = stored_type(annotation)
    made = TypeAdapter(annotation).validate_python(data)
    assert shape.read(shape.write(data, LIMIT)) == made
    assert shape.read(to_json(data)) == made


@pytest.mark.parametrize("name", VALUES)
def test_what_an_earlier_version_stored_is_read(name: str) -> None:
    """It was stored by the names, or as the model's configuration says."""
    annotation, data = VALUES[name]
    value = TypeAdapter(annotation).validate_python(data)
    for earlier in (TypeAdapter(annotation).dump_json(value), ANYTHING.dump_json(value)):
        assert stored_type(annotation).read(earlier) == value


def test_a_field_that_was_added_later_does_not_lose_the_others() -> None:
    """What was stored by names before a field with a default was added is still read by names."""
    shape = stored_type(Later)
    assert shape.read(b'{"temp_max":3.0}') == Later(tempMax=3.0)


def test_types_without_aliases_are_read_once() -> None:
    """Aliases cost nothing where there are none, also in what an author describes with their words."""

    class Described(BaseModel):
        note: dict[str, str] = Field({"validation_alias": "x"})

    assert not stored_type(Described).has_aliases
    assert not stored_type(Any).has_aliases
    assert stored_type(list[Generated]).has_aliases
    assert dump_json(ANYTHING, Weather(tempMax=1), by_alias=False) == b'{"temp_max":1.0}'


async def test_an_error_of_an_authors_validator_names_the_step(
    app: App, dialog: FakeDialog
) -> None:
    """A validator that needs the form of another service fails with the step's name."""

    class Flat(BaseModel):
        temp: float

        @pydantic.model_validator(mode="before")
        @classmethod
        def flatten(cls, data: Any) -> Any:
            return {"temp": data["main"]["temp"]}

    def fetch() -> Flat:
        return Flat.model_validate({"main": {"temp": 3}})

    @app.block("step")
    async def step(ctx: Context) -> None:
        with pytest.raises(TypeError, match="step 'fetch'"):
            await ctx.step("fetch", fetch)

    assert (await dialog.run("step")).ok
