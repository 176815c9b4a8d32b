"""What operators do in the console, and what the log says about it."""

from typing import Any

import pytest
from structlog.testing import LogCapture

from tests.console.client import FORWARDED, PROXIES, PROXY, ConsoleClient
from tests.journal.driver import JournalDriver
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus
from vertexkit.telemetry.log_tail import LogTail
from vertexkit.token import Token

PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="the platform did not answer")


def actions(lines: LogCapture) -> list[dict[str, Any]]:
    """The lines about actions."""
    return [dict(line) for line in lines.entries if line["event"].startswith("console_action")]


@pytest.mark.parametrize("action", ["retry", "drop", "send_event"])
async def test_a_read_only_console_changes_nothing(
    action: str, driver: JournalDriver, lines: LogCapture
) -> None:
    """The problem says how to change it, and the log has the attempt."""
    accepted = await driver.accept()
    before = await driver.journal.find(accepted.execution)
    console = ConsoleClient(driver.journal, writable=False, local_user="olga")
    answer = await console.post(f"executions/{accepted.execution}/{action}", {"name": "paid"})
    assert answer.rejection == (403, "read_only")
    assert "VERTEXKIT_CONSOLE=write" in answer.json["detail"]
    assert await driver.journal.find(accepted.execution) == before
    [line] = actions(lines)
    assert (line["event"], line["action"]) == ("console_action_rejected", action)
    assert (line["user"], line["reason"]) == ("olga", "read-only")


@pytest.mark.parametrize(
    "fresh, done", [(False, "handler_again"), (True, "handler_from_beginning")]
)
async def test_a_parked_execution_is_retried(
    fresh: bool, done: str, driver: JournalDriver, lines: LogCapture
) -> None:
    """Its handler can be claimed again; the log names the user of the proxy."""
    lease = await driver.held()
    await driver.journal.settle(lease, PARKED)
    console = ConsoleClient(driver.journal, writable=True, proxies=PROXIES, client=PROXY)
    path = f"executions/{lease.execution.id}/retry"
    answer = await console.post(path, {"fresh": fresh}, **FORWARDED)
    assert (answer.status, answer.json["done"]) == (200, done)
    assert [again.execution.id for again in await driver.claim()] == [lease.execution.id]
    [line] = actions(lines)
    assert line == {
        "event": "console_action_performed",
        "log_level": "info",
        "action": "retry",
        "execution": lease.execution.id,
        "user": "olga",
        "client": PROXY,
        "done": done,
    }


async def test_an_action_needs_a_user_behind_a_proxy(
    driver: JournalDriver, lines: LogCapture
) -> None:
    """A proxy that authenticates no user may read; its action is rejected, and logged."""
    accepted = await driver.accept()
    console = ConsoleClient(driver.journal, writable=True, proxies=PROXIES, client=PROXY)
    headers = FORWARDED | {"x_forwarded_user": ""}
    assert (await console.get("service", **headers)).json["writable"] is False
    answer = await console.post(f"executions/{accepted.execution}/drop", **headers)
    assert answer.rejection == (403, "user_unknown")
    assert [line["reason"] for line in actions(lines)] == ["no user"]


async def test_a_direct_client_cannot_name_a_user(driver: JournalDriver, lines: LogCapture) -> None:
    """Only a trusted proxy sets the user: the header of another client is not used."""
    accepted = await driver.accept()
    console = ConsoleClient(driver.journal, writable=True)
    path = f"executions/{accepted.execution}/drop"
    assert (await console.post(path, x_forwarded_user="boss")).status == 200
    [line] = actions(lines)
    assert (line["user"], line["client"], line["done"]) == ("", "127.0.0.1", "failing")


async def test_an_event_reaches_the_handler_that_waits(
    driver: JournalDriver, lines: LogCapture
) -> None:
    """The first event of a name counts; the log has its name and not its data."""
    lease = await driver.held()
    await driver.journal.record_intent(lease, Effect(0, "wait:paid"))
    await driver.journal.suspend(lease, 60, 0.0)
    console = ConsoleClient(driver.journal, writable=True)
    path = f"executions/{lease.execution.id}/send_event"
    first = await console.post(path, {"name": "paid", "data": {"sum": 7_500_300}})
    again = await console.post(path, {"name": "paid", "data": 1})
    assert (first.json["done"], again.json["done"]) == ("event_new", "event_repeated")
    [resumed] = await driver.claim()
    assert [e.value for e in resumed.effects.values() if e.kind == "event:paid"] == [
        b'{"sum":7500300}'
    ]
    assert "7500300" not in str(actions(lines))


@pytest.mark.parametrize(
    "body, expected",
    [
        (b"[1]", (422, "invalid_body")),
        (b"{", (422, "invalid_body")),
        (b'{"name": "no name"}', (422, "invalid_body")),
        (b'{"name": 1}', (422, "invalid_body")),
        (b"x" * 300_000, (422, "invalid_body")),
        (b'{"name": "paid"}', (409, "not_allowed")),
    ],
)
async def test_an_event_that_cannot_be_delivered_is_refused(
    body: bytes, expected: tuple[int, str], driver: JournalDriver
) -> None:
    """A body that is not an object, a wrong name, an execution that has ended."""
    lease = await driver.held()
    await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    console = ConsoleClient(driver.journal, writable=True)
    answer = await console.post(f"executions/{lease.execution.id}/send_event", body)
    assert answer.rejection == expected


async def test_contents_are_shown_only_on_request_and_logged(
    driver: JournalDriver, lines: LogCapture
) -> None:
    """No other answer has the result of a step; the request is logged, in a read-only console too."""
    token = Token("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl")
    lease = await driver.held()
    value = b'{"phone":"+79161112233","key":"%s"}' % token.reveal().encode()
    effect = Effect(0, "step:look_up", "", EffectState.CONFIRMED, value)
    await driver.journal.record_intent(lease, Effect(0, "step:look_up"))
    await driver.journal.record_effect(lease, effect)
    console = ConsoleClient(driver.journal)
    for path in ("executions", f"executions/{lease.execution.id}", "service"):
        assert b"+7916" not in (await console.get(path)).body, path
    assert actions(lines) == []
    answer = await console.post(f"executions/{lease.execution.id}/show_contents")
    assert answer.json["effects"] == [
        {"position": 0, "value": {"phone": "+79161112233", "key": "[secret]"}}
    ]
    [line] = actions(lines)
    assert (line["action"], line["done"]) == ("show_contents", "contents_shown")


async def test_log_lines_are_shown_only_on_request_and_logged(
    driver: JournalDriver, lines: LogCapture
) -> None:
    """Those of one execution, as objects; a line for people is shown without its colours."""
    lease = await driver.held()
    tail = LogTail()
    name = lease.execution.id
    tail.add(f'{{"event":"asked","execution":"{name}"}}\n{{"event":"other"}}\n'.encode())
    tail.add(f"\x1b[1mgreeted\x1b[0m execution={name}\n".encode())
    console = ConsoleClient(driver.journal, log_tail=tail)
    answer = await console.post(f"executions/{name}/show_log")
    assert answer.json["lines"] == [
        {"event": "asked", "execution": name},
        {"event": f"greeted execution={name}"},
    ]
    [line] = actions(lines)
    assert (line["action"], line["done"]) == ("show_log", "log_shown")


async def test_a_console_without_a_log_says_so(driver: JournalDriver, lines: LogCapture) -> None:
    """The answer differs from that of a log without lines of the execution."""
    lease = await driver.held()
    for tail, expected in ((None, None), (LogTail(), [])):
        console = ConsoleClient(driver.journal, log_tail=tail)
        answer = await console.post(f"executions/{lease.execution.id}/show_log")
        assert answer.json["lines"] == expected


async def test_a_test_needs_the_app(driver: JournalDriver) -> None:
    """A console that has only the journal names the command."""
    lease = await driver.held()
    console = ConsoleClient(driver.journal)
    answer = await console.post(f"executions/{lease.execution.id}/save_test")
    assert answer.rejection == (409, "not_allowed")
    assert "vertexkit executions save-test" in answer.json["detail"]
