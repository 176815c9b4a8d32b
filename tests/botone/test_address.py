"""Where the platform is: one URL, or one for each allowed instance."""

import base64
import json
from typing import Any

import pytest

from vertexkit.botone.address import PlatformAddress
from vertexkit.errors import CallError
from vertexkit.token import Token

MANY = PlatformAddress("https://{instance}.bot.one/api", ("demo", "other"))


def saying(**claims: Any) -> Token:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Token(f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl")


def test_one_url_is_for_every_token() -> None:
    """With one URL set, whatever a token says of its instance changes nothing."""
    one = PlatformAddress("https://demo.bot.one/api/")
    for token in (Token("opaque"), saying(instance="evil"), saying()):
        assert one.base_url(token) == "https://demo.bot.one/api"


def test_a_token_chooses_among_the_instances() -> None:
    """With instances listed, each token leads to its own."""
    assert MANY.base_url(saying(instance="demo")) == "https://demo.bot.one/api"
    assert MANY.base_url(saying(instance="other")) == "https://other.bot.one/api"


@pytest.mark.parametrize(
    "token",
    [
        Token("opaque"),
        saying(),
        saying(instance=None),
        saying(instance=""),
        saying(instance="evil"),
        saying(instance="DEMO"),
        saying(instance="evil.example/?demo"),
        saying(instance="demo.bot.one"),
        saying(instance=["demo"]),
        saying(instance="{instance}"),
    ],
)
def test_a_token_never_names_an_address(token: Token) -> None:
    """An instance that is not listed is refused with 422: claims only choose, they add nothing."""
    with pytest.raises(CallError) as caught:
        MANY.base_url(token)
    assert (caught.value.status, caught.value.code) == (422, "unknown_instance")
    assert token.reveal() not in str(caught.value)
