"""Secrets and excluded fields: a step or the memory that would lose them says so, and changes no value."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    Secret,
    SecretBytes,
    SecretStr,
    field_serializer,
    model_serializer,
)

from vertexkit import App, Context, Retry
from vertexkit.testing import FakeDialog


class Session(BaseModel):
    token: SecretStr


class Account(BaseModel):
    sessions: list[Session]


class Pin(BaseModel):
    number: Secret[int]


@dataclasses.dataclass
class Login:
    password: SecretBytes


class Mixed(BaseModel):
    """The serializer of a field says nothing about the others."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    token: SecretStr = SecretStr("t0ken")

    @field_serializer("at")
    def write(self, at: datetime) -> str:
        return at.isoformat()


class Hidden(BaseModel):
    name: str = "Аня"
    note: str = Field("none", exclude=True)
    tags: list[str] = Field(default_factory=list, exclude=True)


class HiddenIf(BaseModel):
    count: int = Field(1, exclude_if=lambda count: count > 1)


class Required(BaseModel):
    note: str = Field(exclude=True)


TOKEN = Session(token=SecretStr("t0ken"))
LOST: dict[str, tuple[Any, str]] = {
    "secret": (TOKEN, r"the SecretStr in Session\.token\. .*`field_serializer`"),
    "nested": (Account(sessions=[TOKEN]), r"SecretStr in Session\.token"),
    "secret alone": (SecretStr("t0ken"), r"the SecretStr\. Read secrets where they are used"),
    "in a dict": ({"token": [SecretStr("t0ken")]}, r"the SecretStr\."),
    "secret number": (Pin(number=Secret[int](123456)), r"Pin\.number"),
    "secret bytes": (Login(SecretBytes(b"t0ken")), r"the SecretBytes in Login\.password"),
    "beside a serializer": (Mixed(), r"Mixed\.token"),
    "excluded": (Hidden(note="new"), r"the field Hidden\.note is excluded .*`exclude=True`"),
    "excluded list": ([Hidden(tags=["a"])], r"Hidden\.tags"),
    "excluded by a condition": (HiddenIf(count=2), r"HiddenIf\.count"),
    "excluded and required": (Required(note="new"), r"Required\.note"),
}


@pytest.mark.parametrize("is_typed", [True, False], ids=["annotated", "not annotated"])
@pytest.mark.parametrize("value, reason", LOST.values(), ids=LOST)
async def test_a_value_that_json_would_change_is_an_error(
    app: App, dialog: FakeDialog, value: Any, reason: str, is_typed: bool
) -> None:
    """The error names the step or the value of the memory, the field and its type, not the secret."""

    def make() -> Any:
        return value

    if is_typed:
        make.__annotations__["return"] = type(value)

    @app.block("keep")
    async def keep(ctx: Context) -> None:
        with pytest.raises(TypeError, match=rf"step 'make': its result .*{reason}") as caught:
            await ctx.step("make", make)
        assert "t0ken" not in str(caught.value)
        with pytest.raises(TypeError, match=rf"the value 'made' cannot be read back: .*{reason}"):
            await ctx.memory.set("made", value)
        assert await ctx.memory.get("made") is None

    assert (await dialog.in_dialog(1).run("keep")).ok


class Revealing(BaseModel):
    token: SecretStr
    other: Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]

    @field_serializer("token", when_used="json")
    def reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class RevealingAll(BaseModel):
    token: SecretStr

    @model_serializer
    def reveal(self) -> dict[str, str]:
        return {"token": self.token.get_secret_value()}


class Keyring(BaseModel):
    tokens: list[Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]]


class Sealed(BaseModel):
    tokens: list[
        Annotated[
            SecretStr,
            PlainSerializer(lambda secret: secret.get_secret_value()[::-1]),
            BeforeValidator(lambda text: text[::-1] if isinstance(text, str) else text),
        ]
    ]


class Loose(BaseModel):
    number: Any = 1
    tags: Any = frozenset({"a", "b"})
    pair: Any = (1, 2)


def is_equal_in_substance(read: Any) -> bool:
    return sorted(read.tags) == ["a", "b"] and (read.number, read.pair) == ("1", [1, 2])


SECRET = SecretStr("t0ken")
KEPT: dict[str, tuple[Any, Callable[[Any], bool]]] = {
    "own serializers": (Revealing(token=SECRET, other=SECRET), lambda read: read.token == SECRET),
    "own serializer of the model": (RevealingAll(token=SECRET), lambda read: read.token == SECRET),
    "own serializer in a list": (Keyring(tokens=[SECRET]), lambda read: read.tokens == [SECRET]),
    "own encryption in a list": (Sealed(tokens=[SECRET]), lambda read: read.tokens == [SECRET]),
    "no secret": (Session(token=SecretStr("")), lambda read: read.token == SecretStr("")),
    "default": (Hidden(note="none"), lambda read: read == Hidden()),
    "condition": (HiddenIf(count=0), lambda read: read == HiddenIf(count=0)),
    "other types": (Loose(number=Decimal(1), tags={"a", "b"}), is_equal_in_substance),
}


@pytest.mark.parametrize("value, is_kept", KEPT.values(), ids=KEPT)
async def test_a_value_that_json_has_is_kept(
    app: App, dialog: FakeDialog, value: Any, is_kept: Callable[[Any], bool]
) -> None:
    """A secret that the author writes, a default, and what equals itself only in substance."""

    def make() -> Any:
        return value

    make.__annotations__["return"] = type(value)

    @app.block("keep")
    async def keep(ctx: Context) -> None:
        assert is_kept(await ctx.step("make", make))
        await ctx.memory.set("made", value)
        if ctx.attempt == 1:
            raise Retry

    assert (await dialog.in_dialog(1).run("keep")).ok


async def test_a_result_of_a_block_may_mask_secrets(app: App, dialog: FakeDialog) -> None:
    """Nothing reads it back: what is sent to the platform has asterisks and no excluded fields."""

    @app.block("keep")
    async def keep(ctx: Context) -> Any:
        return {"session": TOKEN, "hidden": Hidden(note="new")}

    data = (await dialog.run("keep")).data
    assert data == {"session": {"token": "*" * 10}, "hidden": {"name": "Аня"}}
