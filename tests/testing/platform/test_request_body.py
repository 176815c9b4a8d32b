"""The validation of request bodies by the fake platform."""

import json
from typing import Any

import pytest

from tests.testing.vertex_client import COMPLETE, SEND, VertexClient
from vertexkit.testing.platform.app import FakePlatform

INVALID_BODIES: list[tuple[str, Any, str]] = [
    (SEND, [], "an array, not a JSON object"),
    (SEND, b"{", "not JSON"),
    (SEND, b"", "not JSON"),
    (SEND, b'{"token": "T", "text": "\xff", "typing": true}', "not UTF-8"),
    (SEND, '{"token": "T", "text": "a", "typing": true}'.encode("utf-16"), "not UTF-8"),
    (SEND, b"[" * 200_000, "nested too deeply"),
    (SEND, b'{"token": "T", "text": "a", "text": "b", "typing": true}', "the same field twice"),
    (SEND, {"token": "T", "text": "a"}, "`typing` is missing"),
    (SEND, {"token": "T", "text": "a", "typing": 1}, "`typing` is a number"),
    (SEND, {"token": "T", "text": "a", "typing": "true"}, "`typing` is a string"),
    (SEND, {"token": "T", "text": "a", "typing": None}, "`typing` is null"),
    (SEND, {"token": "T", "typing": True}, "`text` is missing"),
    (SEND, {"token": "T", "text": "", "typing": True}, "`text` is an empty string"),
    (SEND, {"token": "T", "text": 5, "typing": True}, "`text` is a number"),
    (SEND, b'{"token": "T", "text": "\\ud83d", "typing": true}', "lone surrogate"),
    (SEND, {"text": "a", "typing": True}, "`token` is missing"),
    (SEND, {"token": "", "text": "a", "typing": True}, "`token` is an empty string"),
    (SEND, {"token": 5, "text": "a", "typing": True}, "`token` is a number"),
    (SEND, {"token": "T", "text": "a", "typing": True, "id": 1}, "unknown field 'id'"),
    (COMPLETE, {"token": "T", "data": "text"}, "`data` is a string, neither an object nor null"),
    (COMPLETE, {"token": "T", "data": []}, "`data` is an array, neither an object nor null"),
    (COMPLETE, {"token": "T", "data": False}, "`data` is a boolean"),
    (COMPLETE, b'{"token": "T", "data": {"x": NaN}}', "NaN is not JSON"),
    (COMPLETE, {"token": "T", "data": {}, "text": "a"}, "unknown field 'text'"),
    (COMPLETE, {"data": {}}, "`token` is missing"),
]


@pytest.mark.parametrize("path, body, problem", INVALID_BODIES)
async def test_an_invalid_body_is_rejected_and_a_violation(
    platform: FakePlatform, client: VertexClient, path: str, body: Any, problem: str
) -> None:
    """Each deviation is reported in one sentence; `complete` has no 400 in the document."""
    token = platform.issue()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    content = content.replace(b'"T"', json.dumps(token).encode())
    headers = {"Content-Type": "application/json"}
    answer = await client.http.post(path, content=content, headers=headers)
    assert answer.status_code == (403 if path == COMPLETE else 400)
    assert problem in answer.json()["message"]
    assert [problem in violation for violation in platform.violations] == [True]
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
    assert answer.status_code == 403
    assert "content type" in platform.violations[0]
