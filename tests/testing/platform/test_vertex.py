"""Methods 14 and 15 of the fake platform: what it accepts, rejects and reports."""

import asyncio
import json
from typing import Any

import pytest

from tests.testing.vertex_client import COMPLETE, VertexClient
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import FakePlatform


async def test_a_block_from_first_message_to_completion(
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


async def test_identical_messages_are_allowed(platform: FakePlatform, client: VertexClient) -> None:
    """Two identical messages are not a violation, and the ledger shows both."""
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
    """A message with typing is answered after the platform's typing delay, one without at once."""
    platform = FakePlatform(clock=clock, typing_seconds=3000)
    token = platform.issue()
    client = VertexClient(platform)
    times = [clock.now()]
    async with client.http:
        for typing in (True, False):
            await client.send(token, typing=typing)
            times.append(clock.now())
    assert 3000 <= times[1] - times[0] < 6000
    assert times[2] - times[1] < 3000


async def test_completing_twice_is_a_violation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A second complete is 403, and a violation if the first response had been delivered."""
    token = platform.issue()
    await client.complete(token, {"n": 1})
    assert (await client.complete(token, {"n": 2})).status_code == 403
    assert "already completed by request 1" in platform.violations[0]
    assert [c.data for c in platform.activation(token).completions] == [{"n": 1}]


async def test_a_message_after_complete_is_a_violation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A message into a completed block is 403, a violation, and not shown in the dialog."""
    token = platform.issue()
    await client.complete(token)
    assert (await client.send(token)).status_code == 403
    assert "send_message: the block was already completed" in platform.violations[0]
    assert platform.activation(token).messages == []


@pytest.mark.parametrize("second", ["send", "complete"])
@pytest.mark.parametrize("first", ["send", "complete"])
async def test_concurrent_requests_are_a_violation(
    platform: FakePlatform, client: VertexClient, first: str, second: str
) -> None:
    """A request during another one of the same activation is a violation."""
    token = platform.issue()
    await asyncio.gather(getattr(client, first)(token), getattr(client, second)(token))
    assert any("while request 1 " in violation for violation in platform.violations)


async def test_dialogs_do_not_wait_for_each_other(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Concurrent requests of different tokens are allowed."""
    await asyncio.gather(*(client.send(platform.issue()) for _ in range(20)))
    platform.check()


async def test_the_platform_may_call_again_within_complete(
    platform: FakePlatform, client: VertexClient
) -> None:
    """The callback is awaited before the 204, after the completion, and may reactivate the block."""
    token = platform.issue()
    seen: list[Any] = []

    async def call_again(token: str, data: Any) -> None:
        await platform.clock.sleep(5)
        seen.append((data, platform.activation(token).state, platform.ledger[0].status))
        platform.reactivate(token)
        assert (await client.send(token, "снова")).status_code == 200

    platform.call_during_complete = call_again
    assert (await client.complete(token, {"n": 1})).status_code == 204
    assert seen == [({"n": 1}, "completed", None)]
    assert (platform.ledger[0].answered_at or 0) - platform.ledger[0].at >= 5
    assert [len(activation.messages) for activation in platform.dialog(token).activations] == [0, 1]
    platform.check()


async def test_an_error_in_the_callback_is_reported(
    platform: FakePlatform, client: VertexClient
) -> None:
    """An exception in call_during_complete fails the check, and complete is answered."""

    async def fail(token: str, data: Any) -> None:
        raise RuntimeError("not as planned")

    platform.call_during_complete = fail
    assert (await client.complete(platform.issue())).status_code == 204
    with pytest.raises(AssertionError, match="not as planned"):
        platform.check()
