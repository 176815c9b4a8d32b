"""Masking of what users wrote in the inputs of a call."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, ValidationError

from vertexkit.recordings.masking import Masked, mask_inputs


class Guest(BaseModel):
    name: str
    born: date
    key: UUID
    kind: Literal["child", "adult"] = "adult"
    phone: str = Field("", pattern=r"^\+7\d*$", examples=["+7000"])
    tags: list[str] = []
    place: str = Field("", pattern="^Perm|Omsk$")


def masked(**inputs: Any) -> Masked:
    def accepts(values: dict[str, Any]) -> bool:
        try:
            Guest.model_validate(values)
        except ValidationError:
            return False
        return True

    return mask_inputs(inputs, Guest.model_json_schema(), accepts)


FIXED = {"born": "1990-05-17", "key": "3f2a9f9e-3b0b-4c57-8e8b-0c6f5a1f7d11"}


def test_masked_inputs_are_accepted() -> None:
    """Letters and digits are replaced; dates, UUIDs and patterns get a text that fits."""
    found = masked(name="Anna Petrova", kind="child", phone="+79161234567", tags=["vip"], **FIXED)
    assert found.inputs == {
        "name": "xxxx xxxxxxx",
        "kind": "child",
        "phone": "+7000",
        "tags": ["xxx"],
        "born": "2000-01-01",
        "key": "00000000-0000-4000-8000-000000000000",
    }
    assert set(found.fields) == {"name", "phone", "tags[0]", "born", "key"}
    assert found.unfit == ()


def test_a_text_that_no_known_text_replaces_is_masked_anyway() -> None:
    """It never stays; it is named, because the block rejects the masked inputs."""
    found = masked(name="Anna", place="Omsk", **FIXED)
    assert found.unfit == ("place",)
    assert found.inputs["place"] == "xxxx"


def test_inputs_that_the_block_rejects_are_masked_too() -> None:
    """An invalid call is masked without regard to the schema."""
    found = masked(name="Anna", born="17 May", key="none")
    assert found.inputs == {"name": "xxxx", "born": "00 xxx", "key": "xxxx"}


@pytest.mark.parametrize("text", ["", "  "])
def test_empty_texts_stay(text: str) -> None:
    """There is nothing to mask in an empty text."""
    found = masked(name=text, **FIXED)
    assert found.inputs["name"] == text
    assert "name" not in found.fields
