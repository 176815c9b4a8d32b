"""The fake platform forgives nothing."""

import asyncio
import json
from typing import Any

import pytest

from tests.testing.vertex_client import COMPLETE, SEND, VertexClient
from vertexkit.testing.platform.app import FakePlatform

WRONG_FORMS: list[tuple[str, Any, str]] = [
    (SEND, [], "an array, not a JSON object"),
    (SEND, b"{", "not JSON"),
    (SEND, b"", "not JSON"),
    (SEND, b'{"token": "T", "text": "\xff", "typing": true}', "not UTF-8"),
    (SEND, '{"token": "T", "text": "a", "typing": true}'.encode("utf-16"), "not UTF-8"),
    (SEND, b"[" * 200_000, "nested too deeply"),
    (SEND, b'{"token": "T", "text": "a", "text": "b", "typing": true}', "member twice"),
    (SEND, {"token": "T", "text": "a"}, "`typing` is missing"),
    (SEND, {"token": "T", "text": "a", "typing": 1}, "`typing` is a number"),
    (SEND, {"token": "T", "text": "a", "typing": "true"}, "`typing` is a string"),
    (SEND, {"token": "T", "text": "a", "typing": None}, "`typing` is null"),
    (SEND, {"token": "T", "typing": True}, "`text` is missing"),
    (SEND, {"token": "T", "text": "", "typing": True}, "`text` is empty"),
    (SEND, {"token": "T", "text": 5, "typing": True}, "`text` is a number"),
    (SEND, b'{"token": "T", "text": "\\ud83d", "typing": true}', "lone surrogate"),
    (SEND, {"text": "a", "typing": True}, "`token` is missing"),
    (SEND, {"token": "", "text": "a", "typing": True}, "`token` is empty"),
    (SEND, {"token": 5, "text": "a", "typing": True}, "`token` is a number"),
    (SEND, {"token": "T", "text": "a", "typing": True, "id": 1}, "extra member 'id'"),
    (COMPLETE, {"token": "T"}, "`data` is missing"),
    (COMPLETE, {"token": "T", "data": "text"}, "`data` is a string, neither an object nor null"),
    (COMPLETE, {"token": "T", "data": []}, "`data` is an array, neither an object nor null"),
    (COMPLETE, {"token": "T", "data": False}, "`data` is a boolean"),
    (COMPLETE, b'{"token": "T", "data": {"x": NaN}}', "NaN is not JSON"),
    (COMPLETE, {"token": "T", "data": {}, "text": "a"}, "extra member 'text'"),
    (COMPLETE, {"data": {}}, "`token` is missing"),
]


@pytest.mark.parametrize("path, body, says", WRONG_FORMS)
async def test_a_wrong_form_is_a_400_and_a_violation(
    platform: FakePlatform, client: VertexClient, path: str, body: Any, says: str
) -> None:
    """Each breach of the documented form is answered 400 and told in a sentence to the author."""
    token = platform.issue()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    content = content.replace(b'"T"', json.dumps(token).encode())
    headers = {"Content-Type": "application/json"}
    answer = await client.http.post(path, content=content, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert [says in violation for violation in platform.violations] == [True]
    assert token not in platform.violations[0]
    assert not platform.ledger[0].processed
    with pytest.raises(AssertionError, match="request 1: "):
        platform.check()


@pytest.mark.parametrize("header", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_another_content_type_is_a_violation(
    platform: FakePlatform, client: VertexClient, header: str | None
) -> None:
    """A body must be declared as JSON."""
    content = json.dumps({"token": platform.issue(), "data": None}).encode()
    headers = {} if header is None else {"Content-Type": header}
    answer = await client.http.post(COMPLETE, content=content, headers=headers)
    assert answer.status_code == 400
    assert "content type" in platform.violations[0]


@pytest.mark.parametrize(
    "verb, path, status",
    [
        ("POST", "/api/vertex/v1/send_message", 404),
        ("POST", "/vertex/v1/complete", 404),
        ("POST", COMPLETE + "/", 404),
        ("GET", COMPLETE, 405),
        ("PUT", SEND, 405),
        ("POST", "/api/v2/nothing", 404),
    ],
)
async def test_another_path_or_method_is_a_violation(
    platform: FakePlatform, client: VertexClient, verb: str, path: str, status: int
) -> None:
    """What the document does not list is 404 or 405; the sentence names what there is."""
    answer = await client.http.request(verb, path, json={"token": "x"})
    assert answer.status_code == status
    (violation,) = platform.violations
    assert f"{verb} {path}" in violation
    assert f"send_message is POST {SEND}" in violation
    assert (platform.ledger[0].method, platform.ledger[0].status) == ("unknown", status)


async def test_completing_twice_is_a_violation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A second complete is 403, and wrong where the first one's answer had been delivered."""
    token = platform.issue()
    await client.complete(token, {"n": 1})
    assert (await client.complete(token, {"n": 2})).status_code == 403
    assert "already completed by request 1" in platform.violations[0]
    assert [c.data for c in platform.activation(token).completions] == [{"n": 1}]


async def test_a_message_after_complete_is_a_violation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A message into a completed block is 403 and wrong, and is not shown in the dialog."""
    token = platform.issue()
    await client.complete(token)
    assert (await client.send(token)).status_code == 403
    assert "send_message: the block was already completed" in platform.violations[0]
    assert platform.activation(token).messages == []


@pytest.mark.parametrize("second", ["send", "complete"])
@pytest.mark.parametrize("first", ["send", "complete"])
async def test_requests_side_by_side_break_the_order(
    platform: FakePlatform, client: VertexClient, first: str, second: str
) -> None:
    """A request while another of the same activation is being answered is a violation."""
    token = platform.issue()
    await asyncio.gather(getattr(client, first)(token), getattr(client, second)(token))
    assert any("while request 1 " in violation for violation in platform.violations)


async def test_dialogs_do_not_wait_for_each_other(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Requests of different tokens side by side are in order."""
    await asyncio.gather(*(client.send(platform.issue()) for _ in range(20)))
    platform.check()
