"""The fake platform is faithful to the document."""

import json

import pytest

from tests.testing.vertex_client import COMPLETE, SEND, VertexClient
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import ConnectionCut, FakePlatform
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.platform.tokens import fingerprint


async def test_a_visit_from_first_message_to_completion(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Messages are answered with an id and Unix seconds, completion with 204 and no body."""
    token, began = platform.issue("loan"), int(platform.clock.unix())
    first, second = await client.send(token, "Считаю…"), await client.send(token, "Готово", False)
    done = await client.complete(token, {"monthly": 8884.88})

    assert (first.status_code, second.status_code, done.status_code) == (200, 200, 204)
    assert set(first.json()) == {"message_id", "created_at"}
    assert first.json()["message_id"] == 1
    assert first.json()["created_at"] in range(began, int(platform.clock.unix()) + 1)
    assert second.json()["message_id"] == 2
    assert done.content == b""
    activation = platform.activation(token)
    assert [(m.text, m.typing, m.message_id) for m in activation.messages] == [
        ("Считаю…", True, 1),
        ("Готово", False, 2),
    ]
    assert [completion.data for completion in activation.completions] == [{"monthly": 8884.88}]
    assert (activation.state, activation.block) == ("completed", "loan")
    platform.check()


async def test_data_may_be_null(platform: FakePlatform, client: VertexClient) -> None:
    """A block without a result is completed with null."""
    token = platform.issue()
    assert (await client.complete(token, None)).status_code == 204
    assert platform.activation(token).completions[0].data is None
    platform.check()


async def test_the_ledger_tells_the_whole_story(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Each entry has the method, path, token, body, answer, hour and whether it was processed."""
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


async def test_saying_the_same_twice_is_allowed(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Two identical messages are no violation, and the ledger shows both."""
    token = platform.issue()
    await client.send(token, "Да")
    await client.send(token, "Да")
    assert platform.ledger[0].body == platform.ledger[1].body
    assert len(platform.activation(token).messages) == 2
    platform.check()


async def test_a_charset_in_the_content_type_is_allowed(
    platform: FakePlatform, client: VertexClient
) -> None:
    """`application/json; charset=utf-8` is application/json."""
    body = json.dumps({"token": platform.issue(), "data": None})
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await client.http.post(COMPLETE, content=body, headers=headers)
    assert answer.status_code == 204
    platform.check()


async def test_typing_takes_its_seconds(clock: VirtualClock) -> None:
    """A message with typing is answered after the platform's typing time, one without at once."""
    platform = FakePlatform(clock=clock, typing_seconds=3)
    token = platform.issue()
    client = VertexClient(platform)
    hours = [clock.now()]
    async with client.http:
        for typing in (True, False):
            await client.send(token, typing=typing)
            hours.append(clock.now())
    assert 3 <= hours[1] - hours[0] < 4
    assert hours[2] - hours[1] < 1


async def test_listeners_hear_of_each_entry(platform: FakePlatform, client: VertexClient) -> None:
    """A listener gets each entry once it is over, and on wish as it arrives, with its body."""
    over: list[Entry] = []
    all_of_it: list[Entry] = []
    platform.subscribe(over.append)
    platform.subscribe(all_of_it.append, arrivals=True)
    token = platform.issue()
    platform.fail("complete", kind="cut")
    await client.send(token, "Да")
    with pytest.raises(ConnectionCut):
        await client.complete(token)
    assert [(entry.method, entry.status) for entry in over] == [
        ("send_message", 200),
        ("complete", None),
    ]
    assert [entry.answered_at is None for entry in all_of_it] == [True, False, True, False]
    assert all_of_it[0].json["text"] == "Да"
    assert over == platform.ledger


async def test_nothing_that_is_printed_shows_the_token(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Entries, dialogs, activations and failures show a token's fingerprint alone."""
    token = platform.issue("loan")
    await client.send(token, "Да")
    await client.complete(token)
    await client.complete(token)
    await client.http.post(COMPLETE, content=json.dumps(token))
    with pytest.raises(AssertionError) as caught:
        platform.check()
    shown = f"{platform.ledger} {platform.dialogs} {platform.activation(token)} {caught.value}"
    assert token not in shown
    assert token.split(".")[1] not in shown
    assert fingerprint(token) in shown
    assert "Да" in shown
