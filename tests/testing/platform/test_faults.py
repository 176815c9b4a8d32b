"""The faults of the fake platform."""

import asyncio
from typing import Any

import pytest

from tests.testing.vertex_client import COMPLETE, SEND, AsgiRequest, VertexClient
from vertexkit.testing.platform.app import ConnectionCut, FakePlatform


async def test_a_lost_answer_excuses_the_second_complete(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A complete whose response was lost is processed; repeating it is 403, not a violation."""
    token = platform.issue()
    platform.fail("complete", kind="lost")
    with pytest.raises(ConnectionCut) as caught:
        await client.complete(token, {"n": 1})
    assert caught.value.processed
    assert (await client.complete(token, {"n": 1})).status_code == 403
    lost, refused = platform.ledger
    assert (lost.status, lost.processed, lost.delivered, lost.fault) == (None, True, False, "lost")
    assert (refused.status, refused.processed) == (403, False)
    platform.check()


async def test_a_message_after_a_lost_complete_is_still_a_violation(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A lost response excuses a second complete only, not a message after it."""
    token = platform.issue()
    platform.fail("complete", kind="lost")
    with pytest.raises(ConnectionCut):
        await client.complete(token)
    assert (await client.send(token)).status_code == 403
    assert platform.violations


async def test_a_client_that_disconnected_may_continue(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A request that its client gave up is processed, and does not collide with later ones."""
    token = platform.issue()
    reached, released, continued = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(token: str, data: Any) -> None:
        reached.set()
        await released.wait()
        continued.set()

    platform.call_during_complete = wait
    completing = asyncio.create_task(client.complete(token))
    await reached.wait()
    completing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await completing
    assert platform.ledger[0].processed
    assert (platform.ledger[0].status, platform.ledger[0].delivered) == (None, False)
    assert (await client.complete(token)).status_code == 403
    released.set()
    await continued.wait()
    platform.check()


async def test_a_recent_disconnect_is_noticed_in_time() -> None:
    """A request does not collide with one whose client disconnected a moment earlier."""
    platform = FakePlatform()
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=600)
    arrived = asyncio.Event()
    platform.subscribe(lambda entry: arrived.set(), arrivals=True)
    slow = AsgiRequest(platform, SEND, {"token": token, "text": "a", "typing": True})
    answering = asyncio.create_task(slow.answer())
    await arrived.wait()
    slow.inbox.put_nowait({"type": "http.disconnect"})
    completed = AsgiRequest(platform, COMPLETE, {"token": token, "data": None})
    await completed.answer()
    await answering
    assert slow.outbox == []
    assert completed.outbox[0]["status"] == 204
    platform.check()


async def test_a_cut_connection_processes_nothing(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A message that was cut off is not in the dialog; sent again, it is there once."""
    token = platform.issue()
    platform.fail("send_message", kind="cut")
    with pytest.raises(ConnectionCut) as caught:
        await client.send(token)
    assert not caught.value.processed
    assert (await client.send(token)).status_code == 200
    assert [entry.processed for entry in platform.ledger] == [False, True]
    assert len(platform.activation(token).messages) == 1
    platform.check()


@pytest.mark.parametrize("method, path", [("send_message", SEND), ("complete", COMPLETE)])
async def test_half_a_response(platform: FakePlatform, method: str, path: str) -> None:
    """The response starts, announces its length, and ends in the middle of its body."""
    token = platform.issue()
    platform.fail(method, kind="half")
    form = {"text": "a", "typing": True} if method == "send_message" else {"data": None}
    raw = AsgiRequest(platform, path, {"token": token, **form})
    with pytest.raises(ConnectionCut) as caught:
        await raw.answer()
    start, half = raw.outbox
    assert caught.value.processed
    assert start["status"] == 200
    assert 0 < len(half["body"]) < int(dict(start["headers"])[b"content-length"])
    assert half["more_body"]
    platform.check()


async def test_garbage_is_an_unreadable_success(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Processed, and answered 200 with HTML."""
    token = platform.issue()
    platform.fail("send_message", kind="garbage")
    answer = await client.send(token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(platform.activation(token).messages) == 1
    platform.check()


async def test_garbage_does_not_hide_a_rejection(
    platform: FakePlatform, client: VertexClient
) -> None:
    """In a deleted dialog the HTML page has status 403."""
    token = platform.issue()
    platform.dialog(token).deleted = True
    platform.fail("send_message", kind="garbage")
    answer = await client.send(token)
    assert answer.status_code == 403
    assert answer.text.startswith("<!DOCTYPE html>")


async def test_slow_answers_by_the_clock(platform: FakePlatform, client: VertexClient) -> None:
    """A slow request is processed at once and answered after its seconds of the clock."""
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=4000)
    before = platform.clock.now()
    assert (await client.send(token)).status_code == 200
    assert 4000 <= platform.clock.now() - before < 8000
    assert platform.activation(token).messages[0].at < before + 4000
    platform.check()


async def test_a_dialog_that_is_gone_rejects_everything(
    platform: FakePlatform, client: VertexClient
) -> None:
    """From the ordered request on every request is 403, which is not a violation."""
    token = platform.issue()
    platform.fail("send_message", kind="gone", after=1)
    assert (await client.send(token)).status_code == 200
    assert (await client.send(token)).status_code == 403
    assert (await client.send(token)).status_code == 403
    assert (await client.complete(token)).status_code == 403
    assert platform.dialog(token).state == "gone"
    platform.check()


async def test_ordered_statuses_with_their_headers_and_bodies(
    platform: FakePlatform, client: VertexClient
) -> None:
    """The response has the ordered status and nothing is processed; the next ones are normal."""
    token = platform.issue()
    platform.fail("send_message", status=429, retry_after=2)
    platform.fail("send_message", status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", times=2)
    platform.fail("send_message", status=403, body="<html>no</html>")
    platform.fail("send_message", status=500, body={"error": "да"})
    platform.fail("send_message", status=307)
    answers = [await client.send(token) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [429, 503, 503, 403, 500, 307, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert answers[1].headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert answers[3].headers["content-type"].startswith("text/html")
    assert answers[4].json() == {"error": "да"}
    assert answers[5].headers["location"].startswith("https://elsewhere.invalid")
    assert [m.message_id for m in platform.activation(token).messages] == [1]
    platform.check()


@pytest.mark.parametrize("status", [200, 599])
async def test_the_first_and_the_last_status_can_be_ordered(
    platform: FakePlatform, client: VertexClient, status: int
) -> None:
    """200 and 599 are statuses of HTTP responses."""
    platform.fail("send_message", status=status)
    assert (await client.send(platform.issue())).status_code == status


async def test_an_error_of_a_gateway_after_processing(
    platform: FakePlatform, client: VertexClient
) -> None:
    """Lost with a status: the platform processed the request, and a gateway answered 504."""
    token = platform.issue()
    platform.fail("complete", kind="lost", status=504)
    assert (await client.complete(token)).status_code == 504
    assert platform.activation(token).state == "completed"
    assert (await client.complete(token)).status_code == 403
    platform.check()


async def test_faults_are_used_up_in_order_and_per_method(
    platform: FakePlatform, client: VertexClient
) -> None:
    """`after` lets requests pass, `times` repeats, and a fault hits its own method only."""
    token = platform.issue()
    platform.fail("send_message", status=500, after=2, times=2)
    platform.fail("send_message", status=502, after=1)
    platform.fail("complete", status=501)
    sends = [(await client.send(token)).status_code for _ in range(7)]
    assert sends == [200, 200, 500, 500, 200, 502, 200]
    assert [(await client.complete(token)).status_code for _ in range(2)] == [501, 204]
    platform.check()


async def test_an_invalid_request_uses_up_no_fault(
    platform: FakePlatform, client: VertexClient
) -> None:
    """A fault hits the next valid request."""
    platform.fail("complete", status=503)
    await client.http.post(COMPLETE, json={})
    assert (await client.complete(platform.issue())).status_code == 503


async def test_an_unused_fault_fails_the_check(platform: FakePlatform) -> None:
    """A fault that never happens fails the check, unless the test allows it."""
    platform.fail("send_message", kind="lost", times=2)
    with pytest.raises(AssertionError, match="lost on send_message, 2 more"):
        platform.check()
    platform.check(allow_unused=True)


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ({"method": "send", "status": 500}, "complete, send_message"),
        ({"method": "complete", "kind": "explode"}, "cut, garbage, gone, half, lost, slow"),
        ({"method": "complete"}, "needs a status, or a kind"),
        *(
            ({"method": "complete", "status": status}, "between 200 and 599")
            for status in (0, 99, 199, 600)
        ),
        ({"method": "complete", "status": 500, "kind": "cut"}, "takes no status"),
        ({"method": "complete", "kind": "cut", "retry_after": 1}, "needs a status"),
        ({"method": "complete", "kind": "cut", "body": "x"}, "needs a status"),
        ({"method": "complete", "kind": "cut", "seconds": 1}, "seconds needs"),
        ({"method": "complete", "status": 500, "times": 0}, "times must be at least 1"),
        ({"method": "complete", "status": 500, "after": -1}, "after must be at least 0"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, Any], problem: str) -> None:
    """A wrong name or combination is a ValueError that lists the valid values."""
    with pytest.raises(ValueError, match=problem):
        FakePlatform().fail(**arguments)


async def test_chaos_is_repeatable() -> None:
    """Random faults depend on the seed: the same responses each time, others with another seed."""

    async def statuses(seed: int) -> list[int | None]:
        platform = FakePlatform(seed=seed)
        platform.chaos(0.5, ("cut", 503, 429))
        token = platform.issue()
        client = VertexClient(platform)
        async with client.http:
            for _ in range(40):
                try:
                    await client.send(token)
                except ConnectionCut:
                    continue
        platform.check()
        return [entry.status for entry in platform.ledger]

    first = await statuses(1)
    assert first == await statuses(1) != await statuses(2)
    assert {None, 200, 429, 503} == set(first)


def test_chaos_checks_its_arguments() -> None:
    """A rate beyond 1 or an unknown kind is a ValueError."""
    chances = ((1.5, ("cut",)), (0.5, ("explode",)), (0.5, (199,)), (0.5, (600,)), (0.5, ()))
    for rate, kinds in chances:
        with pytest.raises(ValueError, match=r"rate|kind|status"):
            FakePlatform().chaos(rate, kinds)
