"""The tokens of calls: which are accepted, and which are rejected."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.ingress.served_app import Edge, Serve
from vertexkit.testing import FakePlatform

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"token": None},
        {"token": ""},
        {"token": 7},
        {"token": 1.5},
        {"token": True},
        {"token": ["t"]},
        {"token": {"token": "t"}},
        {"Token": "t"},
        {"data": {"token": "t"}},
    ],
    ids=repr,
)
async def test_a_call_without_a_token_is_rejected(edge: Edge, members: dict[str, Any]) -> None:
    """A token that is missing, empty or not a string: 400 `missing_token`, and nothing starts."""
    before = edge.accepted()
    answer = await edge.ask(body=json.dumps(members | {"city": "Орёл"}).encode())
    assert answer.rejection == (400, "missing_token")
    assert edge.accepted() == before


@pytest.mark.parametrize("body", [b"", b"city=1", b"token=", b"token=&city=1"])
async def test_a_form_without_a_token_is_rejected(edge: Edge, body: bytes) -> None:
    """A form without a token, or with an empty one, is rejected the same way."""
    assert (await edge.ask(body=body, kind=FORM)).rejection == (400, "missing_token")


@pytest.mark.parametrize(
    "token",
    [" ", "a b", "a.b.c\n", "\na.b.c", "a\r\nX-Evil: 1", "a\0b", "\x7f", "токен", "a" * 4097],
    ids=lambda token: repr(token)[:20],
)
async def test_a_token_that_no_platform_gives_is_rejected(edge: Edge, token: str) -> None:
    """Spaces, line ends, control or non-ASCII characters, or 4,097 of them: 400, in JSON and form.

    So a token can be put into any log line, header or key without a thought.
    """
    before = edge.accepted()
    asked = json.dumps({"token": token}).encode()
    assert (await edge.ask(body=asked)).rejection == (400, "malformed_token")
    asked = urlencode({"token": token}).encode()
    assert (await edge.ask(body=asked, kind=FORM)).rejection == (400, "malformed_token")
    assert edge.accepted() == before


async def test_a_rejected_token_is_not_repeated(edge: Edge) -> None:
    """The response to an invalid token describes a valid one, and contains nothing of this one."""
    answer = await edge.ask(body=b'{"token":"hush hush"}')
    assert answer.json["detail"].endswith("printable ASCII characters without spaces.")
    assert b"hush" not in answer.body


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "token",
    ["x", "a" * 4096, "!~{}<>|^`\\\"'/+=%", "eyJ.eyJ.x", "a.b.c.d"],
    ids=lambda token: token[:20],
)
async def test_any_other_token_is_taken_as_it_is(serve: Serve, token: str) -> None:
    """Tokens are opaque: short, long, odd or half a JWT, each comes back to the platform equal."""
    async with serve(platform=FakePlatform(tokens="any")) as edge:
        await edge.settled((await edge.call("echo", token)).execution)
        [entry] = edge.platform.ledger
        assert (entry.method, entry.token, entry.status) == ("complete", token, 204)
