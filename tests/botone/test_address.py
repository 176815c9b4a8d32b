"""The platform's address: one URL, or one for each allowed instance."""

from typing import Any

import pytest

from tests.tokens import unsigned_token
from vertexkit.botone.address import PlatformAddress
from vertexkit.errors import CallError
from vertexkit.token import Token

TWO_INSTANCES = PlatformAddress("https://{instance}.bot.one/api", ("demo", "other"))


def token_with(**claims: Any) -> Token:
    return Token(unsigned_token(claims))


def test_one_url_is_for_every_token() -> None:
    """If one URL is configured, the token's instance has no effect."""
    one = PlatformAddress("https://demo.bot.one/api/")
    for token in (Token("opaque"), token_with(instance="evil"), token_with()):
        assert one.base_url(token) == "https://demo.bot.one/api"


def test_a_token_chooses_among_the_instances() -> None:
    """With several instances, the token's instance selects the URL."""
    assert TWO_INSTANCES.base_url(token_with(instance="demo")) == "https://demo.bot.one/api"
    assert TWO_INSTANCES.base_url(token_with(instance="other")) == "https://other.bot.one/api"


@pytest.mark.parametrize(
    "token",
    [
        Token("opaque"),
        token_with(),
        token_with(instance=None),
        token_with(instance=""),
        token_with(instance="evil"),
        token_with(instance="DEMO"),
        token_with(instance="evil.example/?demo"),
        token_with(instance="demo.bot.one"),
        token_with(instance=["demo"]),
        token_with(instance="{instance}"),
    ],
)
def test_an_unlisted_instance_is_rejected(token: Token) -> None:
    """An instance that is not listed is rejected with 422: claims select and never add."""
    with pytest.raises(CallError) as caught:
        TWO_INSTANCES.base_url(token)
    assert (caught.value.status, caught.value.code) == (422, "unknown_instance")
    assert token.reveal() not in str(caught.value)
