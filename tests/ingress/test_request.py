"""Reading the platform's raw call: the token and the block's inputs."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingress.raw_calls import raw, rejection
from vertexkit.errors import CallError
from vertexkit.ingress.body import (
    FORM_TYPE,
    JSON_TYPE,
)
from vertexkit.ingress.request import Call, RawCall, read_call

TOKEN = "tok-1"
TEXTS = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def read(members: Mapping[str, Any]) -> Call:
    return read_call(raw(json.dumps(members, ensure_ascii=False).encode()))


def test_everything_beside_the_token_is_the_input() -> None:
    """The token is taken out of the object, and all other fields are the block's input."""
    call = read({"token": TOKEN, "amount": 100, "tags": ["a", None], "имя": "Аня"})
    assert call == (TOKEN, {"amount": 100, "tags": ["a", None], "имя": "Аня"})


def test_a_token_alone_is_a_call_without_input() -> None:
    """A block that takes nothing is called with nothing but the token."""
    assert read({"token": TOKEN}) == (TOKEN, {})


@pytest.mark.parametrize("data", [{}, {"amount": 1}, {"data": {"x": 1}}, {"token": "inner"}])
def test_an_only_object_named_data_is_the_input(data: dict[str, Any]) -> None:
    """If the one other member is an object named `data`, the input is what it holds."""
    assert read({"token": TOKEN, "data": data}) == (TOKEN, data)


@pytest.mark.parametrize("data", [None, [], [{"a": 1}], "text", 7, True])
def test_data_that_is_no_object_is_an_input_of_that_name(data: Any) -> None:
    """`data` as a list, a text or null is an ordinary input that is called so."""
    assert read({"token": TOKEN, "data": data}).inputs == {"data": data}


def test_data_beside_another_member_is_an_input_of_that_name() -> None:
    """If there is another field, `data` is not unwrapped: nothing is dropped."""
    given = {"data": {"amount": 1}, "months": 2}
    assert read({"token": TOKEN} | given).inputs == given


def test_another_only_object_is_not_unwrapped() -> None:
    """Only the name `data` means the input as a whole."""
    assert read({"token": TOKEN, "inputs": {"a": 1}}).inputs == {"inputs": {"a": 1}}


@pytest.mark.unmeasured
@given(st.dictionaries(TEXTS.filter(lambda name: name not in ("token", "data")), VALUES))
def test_whatever_json_says_reaches_the_block_unchanged(inputs: dict[str, Any]) -> None:
    """Any JSON value is read unchanged, next to the token and inside of `data`."""
    assert read({"token": TOKEN} | inputs) == (TOKEN, inputs)
    assert read({"token": TOKEN, "data": inputs}) == (TOKEN, inputs)


@given(st.dictionaries(TEXTS.filter(lambda name: name != "token"), TEXTS, max_size=5))
def test_whatever_a_form_says_reaches_the_block_unchanged(inputs: dict[str, str]) -> None:
    """A form's fields come through as texts, also in Russian, and `data` is a text like others."""
    body = urlencode({"token": TOKEN} | inputs).encode()
    assert read_call(raw(body, FORM_TYPE)) == (TOKEN, inputs)


@pytest.mark.parametrize("body", [b'{"token":"a","token":"b"}', b"token=a&token=b"])
def test_the_last_of_a_name_wins(body: bytes) -> None:
    """A name that comes twice has its last value, in JSON as in a form."""
    kind = JSON_TYPE if body.startswith(b"{") else FORM_TYPE
    assert read_call(raw(body, kind)) == ("b", {})


@pytest.mark.parametrize(
    "members", [{}, *({"token": value} for value in (None, "", 7, True, ["t"], {"t": 1}))]
)
@pytest.mark.parametrize("more", [{}, {"amount": 1}])
def test_without_a_token_there_is_no_call(members: dict[str, Any], more: dict[str, Any]) -> None:
    """A token that is missing, empty or not a string is rejected: 400 `missing_token`."""
    assert rejection(raw(json.dumps(members | more).encode())) == (400, "missing_token")


@pytest.mark.parametrize(
    "body", [b"", b"x=1", b"token=", b"token", b"&", b"Token=t", b"token=\r\n"]
)
def test_without_a_token_a_form_is_no_call(body: bytes) -> None:
    """A form without a field `token`, or with an empty one, is rejected the same way."""
    assert rejection(raw(body, FORM_TYPE)) == (400, "missing_token")


def test_a_token_inside_of_data_is_not_the_token() -> None:
    """The token is read only at the top level."""
    assert rejection(raw(b'{"data":{"token":"t"}}')) == (400, "missing_token")


@given(st.binary(max_size=60) | st.text('{}[]:,"\\\\token=&%1eE.-').map(str.encode))
def test_any_bytes_are_read_or_rejected(body: bytes) -> None:
    """For any bytes a reader returns a call with a token, or rejects them with 400."""
    for kind in (JSON_TYPE, FORM_TYPE):
        try:
            status = 200 if read_call(raw(body, kind)).token else 0
        except CallError as error:
            status = error.status
        assert status in (200, 400)


def test_the_query_is_at_hand_for_another_reader() -> None:
    """A reader of an author's own sees the query; a name that comes twice has its last value."""
    call = RawCall("/", b"", query_string="dialog=7&city=%D0%9E%D1%80%D1%91%D0%BB&dialog=8&x=")
    assert call.query == {"dialog": "8", "city": "Орёл", "x": ""}


def test_a_raw_call_shows_nothing_secret() -> None:
    """Printed or logged, a raw call shows its path alone: body, headers and query hold secrets."""
    call = RawCall("/blocks/loan", b'{"token":"hush"}', {"authorization": "hush"}, "key=hush")
    assert "hush" not in repr(call)
    assert "/blocks/loan" in repr(call)


def test_a_rejection_repeats_nothing_that_was_sent() -> None:
    """The detail of a rejection contains nothing of the call, so it may be logged."""
    for call in (
        raw(b'{"token":["hush"]}'),
        raw(b'{"token":"hush"'),
        raw(b"token=hush&hush=%FF", FORM_TYPE),
        raw(b"hush", "text/hush"),
    ):
        with pytest.raises(CallError) as caught:
            read_call(call)
        assert "hush" not in str(caught.value)
