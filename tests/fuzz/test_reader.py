"""The reader of calls on whatever comes: a call, or a refusal with a status and a reason."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.conftest import MANY
from vertexkit.errors import CallError
from vertexkit.ingress.request import FORM_TYPE, JSON_TYPE, RawCall, read_call
from vertexkit.token import Token

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
    """Made of what JSON has, and writable as UTF-8."""
    if isinstance(value, dict):
        return all(is_plain(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


@MANY
@given(st.binary(max_size=200) | SPLICES | WRAPPED, KINDS)
def test_bytes_are_read_or_refused(body: bytes, kind: str) -> None:
    """Never another error; and what is read is plain data that can be written again."""
    refused = call = None
    try:
        call = read_call(RawCall("/", body, {"content-type": kind}))
    except CallError as error:
        refused = error
    if call is None:
        assert refused is not None
        assert refused.status in {400, 415}
        assert all((refused.code, refused.detail))
        return
    assert isinstance(call.token, str)
    assert call.token
    assert is_plain(call.inputs)
    json.dumps(call.inputs, ensure_ascii=False).encode()


@MANY
@given(st.text(max_size=60) | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,40}\.[\w-]{1,20}"))
def test_texts_are_tokens_or_refused(text: str) -> None:
    """A token shows nothing of itself, and its claims are read without an error."""
    try:
        token = Token(text)
    except ValueError:
        return
    assert token.reveal() == text
    assert repr(token) == f"Token({token.fingerprint})"
    assert token.claims is None or token.claims == Token(text).claims
    assert isinstance(token.log_fields, dict)
