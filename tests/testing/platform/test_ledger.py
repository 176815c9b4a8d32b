"""The ledger of the fake platform."""

import json

import pytest

from tests.testing.vertex_client import COMPLETE, SEND, VertexClient
from vertexkit.testing.platform.app import ConnectionCut, FakePlatform
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.platform.tokens import fingerprint


async def test_the_ledger_holds_all_of_a_request(
    platform: FakePlatform, client: VertexClient
) -> None:
    """An entry has method, path, token, body, response, times and whether it was processed."""
    token = platform.issue()
    before = platform.clock.now()
    await client.send(token, "Да")
    await client.complete(token)
    sent, completed = platform.ledger
    assert (sent.method, sent.verb, sent.path, sent.token) == ("send_message", "POST", SEND, token)
    assert sent.json == {"token": token, "text": "Да", "typing": True}
    assert (sent.status, sent.processed, sent.delivered, sent.activation) == (200, True, True, 1)
    assert (completed.method, completed.status, completed.number) == ("complete", 204, 2)
    assert before <= sent.at <= (sent.answered_at or 0) <= completed.at


async def test_subscribers_get_each_entry(platform: FakePlatform, client: VertexClient) -> None:
    """A subscriber gets each entry when it ends and, on request, when it arrives, with its body."""
    ended: list[Entry] = []
    updates: list[Entry] = []
    platform.subscribe(ended.append)
    platform.subscribe(updates.append, arrivals=True)
    token = platform.issue()
    platform.fail("complete", kind="cut")
    await client.send(token, "Да")
    with pytest.raises(ConnectionCut):
        await client.complete(token)
    assert [(entry.method, entry.status) for entry in ended] == [
        ("send_message", 200),
        ("complete", None),
    ]
    assert [entry.answered_at is None for entry in updates] == [True, False, True, False]
    assert updates[0].json["text"] == "Да"
    assert ended == platform.ledger


async def test_no_repr_or_failure_shows_the_token(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Entries, dialogs, activations and failures show only the fingerprint of a token."""
    token = platform.issue("loan")
    await client.send(token, "Да")
    await client.complete(token)
    await client.complete(token)
    await client.http.post(COMPLETE, content=json.dumps(token))
    with pytest.raises(AssertionError) as caught:
        platform.check()
    printed = f"{platform.ledger} {platform.dialogs} {platform.activation(token)} {caught.value}"
    assert token not in printed
    assert token.split(".")[1] not in printed
    assert fingerprint(token) in printed
    assert "Да" in printed
