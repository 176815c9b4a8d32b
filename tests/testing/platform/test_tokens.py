"""The tokens of the fake platform."""

import base64
import json

import pytest

from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.tokens import read_claims


def test_a_token_has_the_shape_of_the_documents_example() -> None:
    """It is a JWT by HS256 with exactly the four claims, of the documented types."""
    token = FakePlatform().issue("loan", dialog_id=371, instance="perm")
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    assert json.loads(head) == {"alg": "HS256", "typ": "JWT"}
    content = json.loads(claims)
    assert set(content) == {"instance", "dialog_id", "vertex_id", "session_id"}
    assert (content["instance"], content["dialog_id"]) == ("perm", 371)
    assert isinstance(content["vertex_id"], str)
    assert isinstance(content["session_id"], int)
    assert len(signature) == 32


def test_tokens_are_repeatable_and_distinct() -> None:
    """The same seed gives the same tokens; each issue gives a new one, with the block's vertex."""
    one, other = FakePlatform(seed=7), FakePlatform(seed=7)
    tokens = [one.issue("a"), one.issue("a"), one.issue("b", dialog_id=1), one.issue("a", 1)]
    assert tokens == [
        other.issue("a"),
        other.issue("a"),
        other.issue("b", dialog_id=1),
        other.issue("a", 1),
    ]
    assert len(set(tokens)) == 4
    vertices = [claims.vertex_id for token in tokens if (claims := read_claims(token))]
    assert vertices[0] == vertices[1] == vertices[3] != vertices[2]
    assert FakePlatform(seed=8).issue("a") != tokens[0]
    assert len(one.dialogs) == 3
    assert one.dialog(tokens[2]) is one.dialog(tokens[3])


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.W10.c", "a.e30.c", "ы.ы.ы"])
def test_a_token_that_is_not_a_jwt_has_no_claims(token: str) -> None:
    """A token of any other form is opaque: it has no claims, and there is no exception."""
    assert read_claims(token) is None
