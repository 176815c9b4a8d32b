"""Tokens that cannot leak, claims that are only read, calls that are the same."""

import base64
import copy
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from tests.tokens import unsigned_token
from vertexkit.execution import Execution
from vertexkit.token import Claims, Token, read_claims

SECRET = "eyJ0eXAiOiJKV1QifQ.eyJkaWFsb2dfaWQiOjMxNH0.c2lnbmF0dXJl"


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    token: Token


WAYS: dict[str, Callable[[Token], str]] = {
    "repr": repr,
    "str": str,
    "f-string": lambda token: f"{token}",
    "padded": lambda token: f"{token:>40}",
    "percent": lambda token: "%s %r" % (token, token),  # noqa: UP031 - as old code formats
    "inside": lambda token: repr([token, {"token": token}]),
    "json": lambda token: to_json({"token": token}, fallback=repr).decode(),
    "model": lambda token: Holder(token=token).model_dump_json(),
    "model's repr": lambda token: repr(Holder(token=token)),
    "pickle": lambda token: repr(pickle.loads(pickle.dumps(token))),
    "deep copy": lambda token: repr(copy.deepcopy({"token": token})),
    "dataclass": lambda token: repr(asdict(Execution("id", "block", token, {}))),
    "traceback": lambda token: "".join(traceback.format_exception(ValueError(token))),
    "copy": lambda token: repr(copy.copy(token)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_token_never_shows_itself(way: str) -> None:
    """However it is printed, formatted, pickled or serialised: a short fingerprint."""
    token = Token(SECRET)
    shown = WAYS[way](token)
    assert SECRET not in shown
    assert token.fingerprint in shown
    assert len(token.fingerprint) == 8


def test_an_execution_shows_neither_token_nor_body() -> None:
    """The raw body holds the token too."""
    execution = Execution("id", "block", Token(SECRET), {}, SECRET.encode(), 0.0)
    assert SECRET not in repr(execution)
    assert "block" in repr(execution)


def test_tokens_are_compared_by_their_secret() -> None:
    """Equal secrets are equal tokens; the fingerprint distinguishes two for people."""
    assert Token("a") == Token("a") != Token("b")
    assert hash(Token("a")) == hash(Token("a"))
    assert Token("a") != "a"
    assert Token("a").fingerprint != Token("b").fingerprint
    assert Token(SECRET).reveal() == SECRET


@pytest.mark.parametrize("secret", ["", " ", "a b", "a\nb", "ж", "x" * 4097, "a\x00"])
def test_an_invalid_token_is_rejected(secret: str) -> None:
    """Empty, too long, spaces, control or non-ASCII characters; the message does not repeat it."""
    with pytest.raises(ValueError, match="1 to 4096 printable ASCII") as caught:
        Token(secret)
    assert not secret.strip() or secret not in str(caught.value)


def test_claims_are_read_as_the_platform_writes_them() -> None:
    """Instance, dialog, vertex and session, each of its type; the signature is not looked at."""
    claimed = {"instance": "demo", "dialog_id": 314, "vertex_id": "v-7", "session_id": 5, "iat": 1}
    assert read_claims(unsigned_token(claimed)) == Claims("demo", 314, "v-7", 5)
    assert Token(unsigned_token({"vertex_id": 12})).claims == Claims(vertex_id="12")


@pytest.mark.parametrize(
    "secret",
    [
        "opaque",
        "a.b",
        "a.b.c.d",
        "e30.!!!.c2ln",
        "e30.W10.c2ln",
        unsigned_token("text"),
        unsigned_token(7),
        unsigned_token(None),
    ],
)
def test_a_token_that_is_not_a_jwt_has_no_claims(secret: str) -> None:
    """A token without readable claims is a token all the same."""
    assert read_claims(secret) is None


@pytest.mark.parametrize(
    "claims, read",
    [
        ({"instance": ["demo"], "dialog_id": "314"}, Claims(dialog_id=314)),
        ({"dialog_id": True, "session_id": 1.5}, Claims()),
        ({"dialog_id": 10**30}, Claims()),
        ({"instance": "x" * 500}, Claims(instance="x" * 64)),
        ({"instance": "de\nmo\x1b[31m"}, Claims(instance="demo[31m")),
    ],
)
def test_claims_of_another_shape_are_ignored(claims: Any, read: Claims) -> None:
    """They go into logs: no odd types, no control characters, nothing long."""
    assert read_claims(unsigned_token(claims)) == read


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CLAIMED = st.dictionaries(
    st.sampled_from(["instance", "dialog_id", "vertex_id", "session_id"]), JSON
)


def readable(claims: Claims | None) -> bool:
    """Of the promised types, short, and of one line."""
    if claims is None:
        return True
    texts = [text for text in (claims.instance, claims.vertex_id) if text is not None]
    numbers = [n for n in (claims.dialog_id, claims.session_id) if n is not None]
    return all(len(text) <= 64 and len(text.splitlines()) <= 1 for text in texts) and all(
        type(number) is int and abs(number) < 2**63 for number in numbers
    )


@pytest.mark.unmeasured
@given(claimed=CLAIMED)
def test_any_claims_are_read_or_ignored(claimed: dict[str, Any]) -> None:
    """A caller writes the claims: no value of JSON breaks the reading or a log line."""
    assert readable(read_claims(unsigned_token(claimed)))


@given(head=st.text(), body=st.binary() | st.text().map(str.encode), tail=st.text())
def test_garbage_breaks_no_reading(head: str, body: bytes, tail: str) -> None:
    """Three parts with dots between them, and anything in them."""
    middle = base64.urlsafe_b64encode(body).decode()
    for secret in (f"{head}.{middle}.{tail}", f"e30.{middle.rstrip('=')}.c2ln", head):
        assert readable(read_claims(secret))


def test_deep_and_huge_claims_break_no_reading() -> None:
    """Nested a thousand times, or a number of two thousand digits."""
    for text in ("[" * 2000 + "]" * 2000, '{"dialog_id": ' + "9" * 2000 + "}"):
        body = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        assert readable(read_claims(f"e30.{body[:3072]}.c2ln"))


def test_a_call_is_the_same_by_block_and_token() -> None:
    """The key of an execution is of both, whatever the inputs, and holds no secret."""

    def key(block: str, token: str, **inputs: Any) -> bytes:
        return Execution("id", block, Token(token), inputs, b"", 0.0).key

    assert key("a", "t", x=1) == key("a", "t", x=2)
    assert len({key("a", "t"), key("b", "t"), key("a", "u")}) == 3
    assert b"secret" not in key("a", "secret")
