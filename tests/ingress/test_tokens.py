"""The tokens of calls: which are taken as they are, and which are refused."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from vertexkit.testing import FakePlatform

if TYPE_CHECKING:
    from tests.ingress.conftest import Edge, Serve

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
async def test_a_call_without_a_token_is_refused(edge: "Edge", members: dict[str, Any]) -> None:
    """A token that is missing, empty or no string: 400 `missing_token`, and nothing starts."""
    before = edge.accepted()
    answer = await edge.ask(body=json.dumps(members | {"city": "Орёл"}).encode())
    assert answer.refusal == (400, "missing_token")
    assert edge.accepted() == before


@pytest.mark.parametrize("body", [b"", b"city=1", b"token=", b"token=&city=1"])
async def test_a_form_without_a_token_is_refused(edge: "Edge", body: bytes) -> None:
    """A form without a token, or with an empty one, is refused the same way."""
    assert (await edge.ask(body=body, kind=FORM)).refusal == (400, "missing_token")


@pytest.mark.parametrize(
    "token",
    [" ", "a b", "a.b.c\n", "\na.b.c", "a\r\nX-Evil: 1", "a\0b", "\x7f", "токен", "a" * 4097],
    ids=lambda token: repr(token)[:20],
)
async def test_a_token_that_no_platform_gives_is_refused(edge: "Edge", token: str) -> None:
    """Spaces, line ends, control or non-ASCII characters, or 4,097 of them: 400, in JSON and form.

    So a token can be put into any log line, header or key without a thought.
    """
    before = edge.accepted()
    asked = json.dumps({"token": token}).encode()
    assert (await edge.ask(body=asked)).refusal == (400, "malformed_token")
    asked = urlencode({"token": token}).encode()
    assert (await edge.ask(body=asked, kind=FORM)).refusal == (400, "malformed_token")
    assert edge.accepted() == before


async def test_a_refused_token_is_not_repeated(edge: "Edge") -> None:
    """The answer to a wrong token says what a token is, and nothing of the one that came."""
    answer = await edge.ask(body=b'{"token":"hush hush"}')
    assert answer.json["detail"].endswith("printable ASCII characters without spaces.")
    assert b"hush" not in answer.body


@pytest.mark.parametrize(
    "token",
    ["x", "a" * 4096, "!~{}<>|^`\\\"'/+=%", "eyJ.eyJ.x", "a.b.c.d"],
    ids=lambda token: token[:20],
)
async def test_any_other_token_is_taken_as_it_is(serve: "Serve", token: str) -> None:
    """Tokens are opaque: short, long, odd or half a JWT, each comes back to the platform equal."""
    async with serve(platform=FakePlatform(tokens="any")) as edge:
        await edge.settled((await edge.call("echo", token)).execution)
        [entry] = edge.platform.ledger
        assert (entry.method, entry.token, entry.status) == ("complete", token, 204)
