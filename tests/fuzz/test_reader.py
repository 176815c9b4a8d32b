"""The reader of calls with any bytes: a call, or a rejection with a status and a reason."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import MANY
from vertexkit.errors import CallError
from vertexkit.ingress.body import FORM_TYPE, JSON_TYPE
from vertexkit.ingress.request import RawCall, read_call
from vertexkit.token import Token

pytestmark = pytest.mark.unmeasured

KINDS = st.sampled_from(
    [JSON_TYPE, FORM_TYPE, f"{JSON_TYPE}; charset=utf-8", f"{FORM_TYPE};charset=koi8-r", "", "text/json"]
)  # fmt: skip
SPLICES = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u", b"d800", b"\\udc00", b",", b":", b"1e999",
                     b"-", b"0", b"NaN", b"null", b'"token":"t"', b"token=t", b"&", b"%", b"%ff", b"=", b"+",
                     b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b" ", b'"token"', b"\xed\xa0\x80"])
    | st.binary(max_size=6), max_size=30,
).map(b"".join)  # fmt: skip
WRAPPED = SPLICES.map(lambda splice: b'{"token":"t","x":' + splice + b"}")


def is_plain(value: Any) -> bool:
    """Whether a value consists of JSON's types and can be encoded as UTF-8."""
    if isinstance(value, dict):
        return all(is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return all(map(is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (bool, int, str))


@MANY
@given(st.binary(max_size=200) | SPLICES | WRAPPED, KINDS)
def test_bytes_are_read_or_rejected(body: bytes, kind: str) -> None:
    """No other error is raised, and what is read can be written as JSON again."""
    rejected = call = None
    try:
        call = read_call(RawCall("/", body, {"content-type": kind}))
    except CallError as error:
        rejected = error
    if call is None:
        assert rejected is not None
        assert rejected.status in {400, 415}
        assert all((rejected.code, rejected.detail))
        return
    assert isinstance(call.token, str)
    assert call.token
    assert is_plain(call.inputs)
    json.dumps(call.inputs, ensure_ascii=False).encode()


@MANY
@given(st.text(max_size=60) | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,40}\.[\w-]{1,20}"))
def test_texts_are_tokens_or_rejected(text: str) -> None:
    """The text of a token contains nothing of it, and its claims are read without an error."""
    try:
        token = Token(text)
    except ValueError:
        return
    assert token.reveal() == text
    assert repr(token) == f"Token({token.fingerprint})"
    assert token.claims is None or token.claims == Token(text).claims
    assert isinstance(token.log_fields, dict)
