"""The fake platform: strict about every request, faithful to the document, faulty on request."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.ledger import Entry
from vertexkit.testing.platform import ConnectionCut, FakePlatform
from vertexkit.testing.tokens import FakeClaims, fingerprint, read, sign

SEND = "/api/vertex/v1/dialog/send_message"
COMPLETE = "/api/vertex/v1/complete"


class Caller:
    """A block's side of the wire: plain httpx, into the app itself."""

    def __init__(self, platform: FakePlatform, base_url: str | None = None) -> None:
        transport = None if base_url else httpx.ASGITransport(platform)
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url or "http://demo.test")

    async def send(self, token: str, text: str = "Привет", typing: Any = True) -> httpx.Response:
        body = {"token": token, "text": text, "typing": typing}
        return await self.http.post(SEND, json=body)

    async def complete(self, token: str, data: Any = None) -> httpx.Response:
        return await self.http.post(COMPLETE, json={"token": token, "data": data})


class Raw:
    """One request as ASGI messages, for what an HTTP client would hide."""

    def __init__(self, platform: FakePlatform, path: str, body: dict[str, Any]) -> None:
        self.platform = platform
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.inbox.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
        self.outbox: list[Any] = []

    async def answer(self) -> None:
        await self.platform(self.scope, self.inbox.get, self._take)

    async def _take(self, message: Any) -> None:
        self.outbox.append(message)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def platform(clock: VirtualClock) -> FakePlatform:
    return FakePlatform(clock=clock)


@pytest.fixture
async def caller(platform: FakePlatform) -> AsyncIterator[Caller]:
    caller = Caller(platform)
    async with caller.http:
        yield caller


# What the document grants


async def test_a_visit_from_first_message_to_completion(
    platform: FakePlatform, caller: Caller
) -> None:
    """Messages are answered with an id and Unix seconds, completion with 204 and no body."""
    token, began = platform.issue("loan"), int(platform.clock.unix())
    first, second = await caller.send(token, "Считаю…"), await caller.send(token, "Готово", False)
    done = await caller.complete(token, {"monthly": 8884.88})

    assert (first.status_code, second.status_code, done.status_code) == (200, 200, 204)
    assert set(first.json()) == {"message_id", "created_at"}
    assert first.json()["message_id"] == 1
    assert first.json()["created_at"] in range(began, int(platform.clock.unix()) + 1)
    assert second.json()["message_id"] == 2
    assert done.content == b""
    visit = platform.visit(token)
    assert [(m.text, m.typing, m.message_id) for m in visit.messages] == [
        ("Считаю…", True, 1),
        ("Готово", False, 2),
    ]
    assert [completion.data for completion in visit.completions] == [{"monthly": 8884.88}]
    assert (visit.state, visit.block) == ("completed", "loan")
    platform.check()


async def test_data_may_be_null(platform: FakePlatform, caller: Caller) -> None:
    """A block without a result is completed with null."""
    token = platform.issue()
    assert (await caller.complete(token, None)).status_code == 204
    assert platform.visit(token).completions[0].data is None
    platform.check()


async def test_the_ledger_tells_the_whole_story(platform: FakePlatform, caller: Caller) -> None:
    """Each entry has the method, path, token, body, answer, hour and whether it was processed."""
    token = platform.issue()
    before = platform.clock.now()
    await caller.send(token, "Да")
    await caller.complete(token)
    sent, completed = platform.ledger
    assert (sent.method, sent.verb, sent.path, sent.token) == ("send_message", "POST", SEND, token)
    assert sent.json == {"token": token, "text": "Да", "typing": True}
    assert (sent.status, sent.processed, sent.delivered, sent.visit) == (200, True, True, 1)
    assert (completed.method, completed.status, completed.number) == ("complete", 204, 2)
    assert before <= sent.at <= (sent.answered_at or 0) <= completed.at


async def test_saying_the_same_twice_is_allowed(platform: FakePlatform, caller: Caller) -> None:
    """Two identical messages are no violation, and the ledger shows both."""
    token = platform.issue()
    await caller.send(token, "Да")
    await caller.send(token, "Да")
    assert platform.ledger[0].body == platform.ledger[1].body
    assert len(platform.visit(token).messages) == 2
    platform.check()


async def test_a_charset_in_the_content_type_is_allowed(
    platform: FakePlatform, caller: Caller
) -> None:
    """`application/json; charset=utf-8` is application/json."""
    body = json.dumps({"token": platform.issue(), "data": None})
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await caller.http.post(COMPLETE, content=body, headers=headers)
    assert answer.status_code == 204
    platform.check()


# Tokens and dialogs


def test_a_token_has_the_shape_of_the_documents_example() -> None:
    """It is a JWT by HS256 with exactly the four claims, of the documented types."""
    token = FakePlatform().issue("loan", dialog_id=371, instance="perm")
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    assert json.loads(head) == {"alg": "HS256", "typ": "JWT"}
    content = json.loads(claims)
    assert set(content) == {"instance", "dialog_id", "vertex_id", "session_id"}
    assert (content["instance"], content["dialog_id"]) == ("perm", 371)
    assert isinstance(content["vertex_id"], str)
    assert isinstance(content["session_id"], int)
    assert len(signature) == 32


def test_tokens_are_repeatable_and_distinct() -> None:
    """The same seed gives the same tokens, and each issue another one, of the block's vertex."""
    one, other = FakePlatform(seed=7), FakePlatform(seed=7)
    tokens = [one.issue("a"), one.issue("a"), one.issue("b", dialog_id=1), one.issue("a", 1)]
    assert tokens == [
        other.issue("a"),
        other.issue("a"),
        other.issue("b", dialog_id=1),
        other.issue("a", 1),
    ]
    assert len(set(tokens)) == 4
    vertices = [claims.vertex_id for token in tokens if (claims := read(token))]
    assert vertices[0] == vertices[1] == vertices[3] != vertices[2]
    assert FakePlatform(seed=8).issue("a") != tokens[0]
    assert len(one.dialogs) == 3
    assert one.dialog(tokens[2]) is one.dialog(tokens[3])


@pytest.mark.parametrize("word", ["", "opaque", "a.b.c", "a.W10.c", "a.e30.c", "ы.ы.ы"])
def test_what_is_no_jwt_has_no_claims(word: str) -> None:
    """A token of any other shape is opaque, and reading it raises nothing."""
    assert read(word) is None


async def test_an_unknown_token_is_refused(platform: FakePlatform, caller: Caller) -> None:
    """A token that was not issued gets 403 and is a violation, told without the token."""
    answer = await caller.send("stranger")
    assert answer.status_code == 403
    assert fingerprint("stranger") in platform.violations[0]
    assert "stranger" not in platform.violations[0]
    with pytest.raises(LookupError):
        platform.dialog("stranger")


async def test_any_token_opens_a_dialog_when_asked() -> None:
    """With tokens="any" a stranger opens a dialog at first sight, its claims read if it has any."""
    platform = FakePlatform(tokens="any")
    token = sign(FakeClaims("perm", 371, "698", 5))
    caller = Caller(platform)
    async with caller.http:
        assert (await caller.send(token)).status_code == 200
        assert (await caller.complete("opaque", {})).status_code == 204
        assert (await caller.complete("opaque", {})).status_code == 403
    dialog = platform.dialog(token)
    assert (dialog.dialog_id, dialog.instance, dialog.visits[0].block) == (371, "perm", "698")
    assert platform.dialog("opaque").dialog_id is None
    assert len(platform.dialogs) == 2


async def test_a_token_used_again_is_another_visit(platform: FakePlatform, caller: Caller) -> None:
    """The same token reaches the block again after its completion; the visits stay apart."""
    token = platform.issue("loan")
    await caller.send(token, "раз")
    await caller.complete(token, {"visit": 1})
    assert platform.issue(reuse=token) == token
    assert platform.visit(token).state == "open"
    await caller.send(token, "два")
    await caller.complete(token, {"visit": 2})
    third = platform.open_again(token)

    first, second, _ = platform.dialog(token).visits
    assert [m.text for m in first.messages] == ["раз"]
    assert [m.text for m in second.messages] == ["два"]
    assert (second.block, second.number, third.number) == ("loan", 2, 3)
    assert [c.data for c in platform.dialog(token).completions] == [{"visit": 1}, {"visit": 2}]
    assert [entry.visit for entry in platform.ledger] == [1, 1, 2, 2]
    platform.check()


async def test_only_a_completed_visit_is_followed_by_another(
    platform: FakePlatform, caller: Caller
) -> None:
    """A token cannot be used again while its block is open, nor in a deleted dialog."""
    token = platform.issue(dialog_id=5)
    with pytest.raises(ValueError, match="open"):
        platform.open_again(token)
    platform.fail("complete", kind="gone")
    await caller.complete(token)
    with pytest.raises(ValueError, match="gone"):
        platform.issue(reuse=token)
    with pytest.raises(ValueError, match="deleted"):
        platform.issue(dialog_id=5)


async def test_the_platform_may_call_again_within_complete(
    platform: FakePlatform, caller: Caller
) -> None:
    """The switch is awaited before the 204, with the visit completed, and may open the next."""
    token = platform.issue()
    seen: list[Any] = []

    async def go_on(token: str, data: Any) -> None:
        await platform.clock.sleep(5)
        seen.append((data, platform.visit(token).state, platform.ledger[0].status))
        platform.open_again(token)
        assert (await caller.send(token, "снова")).status_code == 200

    platform.call_during_complete = go_on
    assert (await caller.complete(token, {"n": 1})).status_code == 204
    assert seen == [({"n": 1}, "completed", None)]
    assert (platform.ledger[0].answered_at or 0) - platform.ledger[0].at >= 5
    assert [len(visit.messages) for visit in platform.dialog(token).visits] == [0, 1]
    platform.check()


async def test_a_failure_of_the_switch_is_not_lost(platform: FakePlatform, caller: Caller) -> None:
    """An assertion within call_during_complete fails the check, and complete is answered."""

    async def go_wrong(token: str, data: Any) -> None:
        raise RuntimeError("not as planned")

    platform.call_during_complete = go_wrong
    assert (await caller.complete(platform.issue())).status_code == 204
    with pytest.raises(AssertionError, match="not as planned"):
        platform.check()


# What the document does not grant

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
    platform: FakePlatform, caller: Caller, path: str, body: Any, says: str
) -> None:
    """Each breach of the documented form is answered 400 and told in a sentence to the author."""
    token = platform.issue()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    content = content.replace(b'"T"', json.dumps(token).encode())
    headers = {"Content-Type": "application/json"}
    answer = await caller.http.post(path, content=content, headers=headers)
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert [says in violation for violation in platform.violations] == [True]
    assert token not in platform.violations[0]
    assert not platform.ledger[0].processed
    with pytest.raises(AssertionError, match="request 1: "):
        platform.check()


@pytest.mark.parametrize("header", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_another_content_type_is_a_violation(
    platform: FakePlatform, caller: Caller, header: str | None
) -> None:
    """A body must be declared as JSON."""
    content = json.dumps({"token": platform.issue(), "data": None}).encode()
    headers = {} if header is None else {"Content-Type": header}
    answer = await caller.http.post(COMPLETE, content=content, headers=headers)
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
    platform: FakePlatform, caller: Caller, verb: str, path: str, status: int
) -> None:
    """What the document does not list is 404 or 405; the sentence names what there is."""
    answer = await caller.http.request(verb, path, json={"token": "x"})
    assert answer.status_code == status
    (violation,) = platform.violations
    assert f"{verb} {path}" in violation
    assert f"send_message is POST {SEND}" in violation
    assert (platform.ledger[0].method, platform.ledger[0].status) == ("unknown", status)


async def test_completing_twice_is_a_violation(platform: FakePlatform, caller: Caller) -> None:
    """A second complete is 403, and wrong where the first one's answer had been delivered."""
    token = platform.issue()
    await caller.complete(token, {"n": 1})
    assert (await caller.complete(token, {"n": 2})).status_code == 403
    assert "already completed by request 1" in platform.violations[0]
    assert [c.data for c in platform.visit(token).completions] == [{"n": 1}]


async def test_a_message_after_complete_is_a_violation(
    platform: FakePlatform, caller: Caller
) -> None:
    """A message into a completed block is 403 and wrong, and is not shown in the dialog."""
    token = platform.issue()
    await caller.complete(token)
    assert (await caller.send(token)).status_code == 403
    assert "send_message: the block was already completed" in platform.violations[0]
    assert platform.visit(token).messages == []


@pytest.mark.parametrize("second", ["send", "complete"])
@pytest.mark.parametrize("first", ["send", "complete"])
async def test_requests_side_by_side_break_the_order(
    platform: FakePlatform, caller: Caller, first: str, second: str
) -> None:
    """A request while another of the same visit is being answered is a violation."""
    token = platform.issue()
    await asyncio.gather(getattr(caller, first)(token), getattr(caller, second)(token))
    assert any("while request 1 " in violation for violation in platform.violations)


async def test_dialogs_do_not_wait_for_each_other(platform: FakePlatform, caller: Caller) -> None:
    """Requests of different tokens side by side are in order."""
    await asyncio.gather(*(caller.send(platform.issue()) for _ in range(20)))
    platform.check()


# Faults


async def test_a_lost_answer_excuses_the_second_complete(
    platform: FakePlatform, caller: Caller
) -> None:
    """A complete whose answer was lost is processed; repeating it is 403 and no violation."""
    token = platform.issue()
    platform.fail("complete", kind="lost")
    with pytest.raises(ConnectionCut) as caught:
        await caller.complete(token, {"n": 1})
    assert caught.value.processed
    assert (await caller.complete(token, {"n": 1})).status_code == 403
    lost, refused = platform.ledger
    assert (lost.status, lost.processed, lost.delivered, lost.fault) == (None, True, False, "lost")
    assert (refused.status, refused.processed) == (403, False)
    platform.check()


async def test_a_message_after_a_lost_complete_is_still_a_violation(
    platform: FakePlatform, caller: Caller
) -> None:
    """The excuse is for complete alone: nothing is said after it was tried."""
    token = platform.issue()
    platform.fail("complete", kind="lost")
    with pytest.raises(ConnectionCut):
        await caller.complete(token)
    assert (await caller.send(token)).status_code == 403
    assert platform.violations


async def test_a_caller_that_gave_up_may_go_on(platform: FakePlatform, caller: Caller) -> None:
    """A request given up by its caller is over: it is processed, and no later one collides."""
    token = platform.issue()
    reached, released, went_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def go_on(token: str, data: Any) -> None:
        reached.set()
        await released.wait()
        went_on.set()

    platform.call_during_complete = go_on
    completing = asyncio.create_task(caller.complete(token))
    await reached.wait()
    completing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await completing
    assert platform.ledger[0].processed
    assert (platform.ledger[0].status, platform.ledger[0].delivered) == (None, False)
    assert (await caller.complete(token)).status_code == 403
    released.set()
    await went_on.wait()
    platform.check()


async def test_a_caller_that_just_hung_up_is_noticed_in_time() -> None:
    """The next request does not collide with one whose caller hung up a moment earlier."""
    platform = FakePlatform()
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=600)
    arrived = asyncio.Event()
    platform.subscribe(lambda entry: arrived.set(), arrivals=True)
    slow = Raw(platform, SEND, {"token": token, "text": "a", "typing": True})
    answering = asyncio.create_task(slow.answer())
    await arrived.wait()
    slow.inbox.put_nowait({"type": "http.disconnect"})
    completed = Raw(platform, COMPLETE, {"token": token, "data": None})
    await completed.answer()
    await answering
    assert slow.outbox == []
    assert completed.outbox[0]["status"] == 204
    platform.check()


async def test_a_cut_connection_processes_nothing(platform: FakePlatform, caller: Caller) -> None:
    """Cut before it was read, a message is not in the dialog; sent again it is, once."""
    token = platform.issue()
    platform.fail("send_message", kind="cut")
    with pytest.raises(ConnectionCut) as caught:
        await caller.send(token)
    assert not caught.value.processed
    assert (await caller.send(token)).status_code == 200
    assert [entry.processed for entry in platform.ledger] == [False, True]
    assert len(platform.visit(token).messages) == 1
    platform.check()


@pytest.mark.parametrize("method, path", [("send_message", SEND), ("complete", COMPLETE)])
async def test_half_an_answer(platform: FakePlatform, method: str, path: str) -> None:
    """A success that begins, announces its length, and breaks off in the middle of the body."""
    token = platform.issue()
    platform.fail(method, kind="half")
    form = {"text": "a", "typing": True} if method == "send_message" else {"data": None}
    raw = Raw(platform, path, {"token": token, **form})
    with pytest.raises(ConnectionCut) as caught:
        await raw.answer()
    start, half = raw.outbox
    assert caught.value.processed
    assert start["status"] == 200
    assert 0 < len(half["body"]) < int(dict(start["headers"])[b"content-length"])
    assert half["more_body"]
    platform.check()


async def test_garbage_is_a_success_that_nobody_can_read(
    platform: FakePlatform, caller: Caller
) -> None:
    """Processed, and answered 200 with HTML."""
    token = platform.issue()
    platform.fail("send_message", kind="garbage")
    answer = await caller.send(token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(platform.visit(token).messages) == 1
    platform.check()


async def test_slow_answers_by_the_clock(platform: FakePlatform, caller: Caller) -> None:
    """A slow answer is processed at once and given after its seconds of the clock."""
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=40)
    before = platform.clock.now()
    assert (await caller.send(token)).status_code == 200
    assert 40 <= platform.clock.now() - before < 45
    assert platform.visit(token).messages[0].at < before + 5
    platform.check()


async def test_a_dialog_that_is_gone_refuses_everything(
    platform: FakePlatform, caller: Caller
) -> None:
    """From the ordered request on all is 403, without a violation: the caller could not know."""
    token = platform.issue()
    platform.fail("send_message", kind="gone", after=1)
    assert (await caller.send(token)).status_code == 200
    assert (await caller.send(token)).status_code == 403
    assert (await caller.send(token)).status_code == 403
    assert (await caller.complete(token)).status_code == 403
    assert platform.dialog(token).state == "gone"
    platform.check()


async def test_ordered_statuses_with_their_headers_and_bodies(
    platform: FakePlatform, caller: Caller
) -> None:
    """A status is answered as ordered and nothing is processed; then all goes on as before."""
    token = platform.issue()
    platform.fail("send_message", status=429, retry_after=2)
    platform.fail("send_message", status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", times=2)
    platform.fail("send_message", status=403, body="<html>no</html>")
    platform.fail("send_message", status=500, body={"error": "да"})
    platform.fail("send_message", status=307)
    answers = [await caller.send(token) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [429, 503, 503, 403, 500, 307, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert answers[1].headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert answers[3].headers["content-type"].startswith("text/html")
    assert answers[4].json() == {"error": "да"}
    assert answers[5].headers["location"].startswith("https://elsewhere.invalid")
    assert [m.message_id for m in platform.visit(token).messages] == [1]
    platform.check()


async def test_a_gateways_error_after_the_deed(platform: FakePlatform, caller: Caller) -> None:
    """Lost with a status: the platform did it, and something before it answered 504."""
    token = platform.issue()
    platform.fail("complete", kind="lost", status=504)
    assert (await caller.complete(token)).status_code == 504
    assert platform.visit(token).state == "completed"
    assert (await caller.complete(token)).status_code == 403
    platform.check()


async def test_faults_are_used_up_in_order_and_per_method(
    platform: FakePlatform, caller: Caller
) -> None:
    """`after` lets requests pass, `times` repeats, and one method's faults spare the other."""
    token = platform.issue()
    platform.fail("send_message", status=500, after=2, times=2)
    platform.fail("send_message", status=502, after=1)
    platform.fail("complete", status=501)
    sends = [(await caller.send(token)).status_code for _ in range(7)]
    assert sends == [200, 200, 500, 500, 200, 502, 200]
    assert [(await caller.complete(token)).status_code for _ in range(2)] == [501, 204]
    platform.check()


async def test_a_wrong_request_uses_no_fault_up(platform: FakePlatform, caller: Caller) -> None:
    """Faults wait for requests that would have been answered."""
    platform.fail("complete", status=503)
    await caller.http.post(COMPLETE, json={})
    assert (await caller.complete(platform.issue())).status_code == 503


async def test_an_unused_fault_fails_the_check(platform: FakePlatform) -> None:
    """A test that orders a fault which never happens proves nothing, unless it says so."""
    platform.fail("send_message", kind="lost", times=2)
    with pytest.raises(AssertionError, match="lost on send_message, 2 more"):
        platform.check()
    platform.check(allow_unused=True)


@pytest.mark.parametrize(
    "order, says",
    [
        ({"method": "send", "status": 500}, "complete, send_message"),
        ({"method": "complete", "kind": "explode"}, "cut, garbage, gone, half, lost, slow"),
        ({"method": "complete"}, "say what goes wrong"),
        ({"method": "complete", "status": 99}, "within 200 and 599"),
        ({"method": "complete", "status": 500, "kind": "cut"}, "has no status"),
        ({"method": "complete", "kind": "cut", "retry_after": 1}, "needs a status"),
        ({"method": "complete", "kind": "cut", "body": "x"}, "needs a status"),
        ({"method": "complete", "kind": "cut", "seconds": 1}, "seconds are for"),
        ({"method": "complete", "status": 500, "times": 0}, "1 or more"),
        ({"method": "complete", "status": 500, "after": -1}, "0 or more"),
    ],
)
def test_an_order_that_cannot_be_is_refused(order: dict[str, Any], says: str) -> None:
    """A wrong name or combination is a ValueError that names the choices."""
    with pytest.raises(ValueError, match=says):
        FakePlatform().fail(**order)


async def test_chaos_is_repeatable() -> None:
    """Random faults follow the seed: the same story each time, another with another seed."""

    async def story(seed: int) -> list[int | None]:
        platform = FakePlatform(seed=seed)
        platform.chaos(0.5, ("cut", 503, 429))
        token = platform.issue()
        caller = Caller(platform)
        async with caller.http:
            for _ in range(40):
                try:
                    await caller.send(token)
                except ConnectionCut:
                    continue
        platform.check()
        return [entry.status for entry in platform.ledger]

    first = await story(1)
    assert first == await story(1) != await story(2)
    assert {None, 200, 429, 503} == set(first)


def test_chaos_checks_its_arguments() -> None:
    """A rate beyond 1 or an unknown kind is a ValueError."""
    for rate, kinds in ((1.5, ("cut",)), (0.5, ("explode",)), (0.5, (42,)), (0.5, ())):
        with pytest.raises(ValueError, match=r"rate|kind|status"):
            FakePlatform().chaos(rate, kinds)


# Watching


async def test_typing_takes_its_seconds(clock: VirtualClock) -> None:
    """A message with typing is answered after the platform's typing time, one without at once."""
    platform = FakePlatform(clock=clock, typing_seconds=3)
    token = platform.issue()
    caller = Caller(platform)
    hours = [clock.now()]
    async with caller.http:
        for typing in (True, False):
            await caller.send(token, typing=typing)
            hours.append(clock.now())
    assert 3 <= hours[1] - hours[0] < 4
    assert hours[2] - hours[1] < 1


async def test_listeners_hear_of_each_entry(platform: FakePlatform, caller: Caller) -> None:
    """A listener gets each entry once it is over, and on wish as it arrives, with its body."""
    over: list[Entry] = []
    all_of_it: list[Entry] = []
    platform.subscribe(over.append)
    platform.subscribe(all_of_it.append, arrivals=True)
    token = platform.issue()
    platform.fail("complete", kind="cut")
    await caller.send(token, "Да")
    with pytest.raises(ConnectionCut):
        await caller.complete(token)
    assert [(entry.method, entry.status) for entry in over] == [
        ("send_message", 200),
        ("complete", None),
    ]
    assert [entry.answered_at is None for entry in all_of_it] == [True, False, True, False]
    assert all_of_it[0].json["text"] == "Да"
    assert over == platform.ledger


async def test_nothing_that_is_printed_shows_the_token(
    platform: FakePlatform, caller: Caller
) -> None:
    """Entries, dialogs, visits and failures show a token's fingerprint alone."""
    token = platform.issue("loan")
    await caller.send(token, "Да")
    await caller.complete(token)
    await caller.complete(token)
    await caller.http.post(COMPLETE, content=json.dumps(token))
    with pytest.raises(AssertionError) as caught:
        platform.check()
    shown = f"{platform.ledger} {platform.dialogs} {platform.visit(token)} {caught.value}"
    assert token not in shown
    assert token.split(".")[1] not in shown
    assert fingerprint(token) in shown
    assert "Да" in shown


# Over a socket


@asynccontextmanager
async def served(platform: FakePlatform) -> AsyncIterator[str]:
    """The platform behind a real uvicorn on a port of its own choice."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(platform, log_level="critical"))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


async def test_a_whole_visit_over_a_socket(platform: FakePlatform) -> None:
    """Served by uvicorn it plays the same part, and its faults are failures of the connection."""
    token = platform.issue()
    platform.fail("send_message", kind="half", after=1)
    platform.fail("complete", kind="lost")
    async with served(platform) as url:
        caller = Caller(platform, url)
        async with caller.http:
            assert (await caller.send(token, "Привет, мир")).json()["message_id"] == 1
            with pytest.raises(httpx.RemoteProtocolError):
                await caller.send(token)
            assert (await caller.complete(token, {"ok": True})).status_code == 500
            assert (await caller.complete(token, {"ok": True})).status_code == 403
    assert [(e.processed, e.delivered) for e in platform.ledger] == [
        (True, True),
        (True, False),
        (True, False),
        (False, True),
    ]
    platform.check()


async def test_a_caller_that_hangs_up_may_go_on() -> None:
    """Over a socket, too, a request whose caller has hung up is over and excuses the next ones."""
    platform = FakePlatform()
    token = platform.issue()
    platform.fail("send_message", kind="slow", seconds=600)
    over = asyncio.Event()
    platform.subscribe(lambda entry: over.set())
    async with served(platform) as url:
        caller = Caller(platform, url)
        caller.http.timeout = httpx.Timeout(30, read=0.05)
        async with caller.http:
            with pytest.raises(httpx.ReadTimeout):
                await caller.send(token)
            await over.wait()
            caller.http.timeout = httpx.Timeout(30)
            assert (await caller.complete(token)).status_code == 204
    assert (platform.ledger[0].processed, platform.ledger[0].status) == (True, None)
    platform.check()
