"""`vertexkit executions`: list, show, retry and drop."""

import json
import signal
import urllib.request
from typing import Any

import pytest

from tests.cli.executions.filled_journal import fill, name
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.testing import FakePlatform
from vertexkit.token import Token

PARKED = Outcome(
    OutcomeStatus.PARKED, "unreachable", reason="the completion did not get through: 503"
)
LEFT = Outcome(OutcomeStatus.PARKED, "unknown", reason="the answer to a message was lost")
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")
DEAD = Outcome(
    OutcomeStatus.PARKED, "attempts", "204", "3 runs have ended with the death of a worker"
)
RESULT = Result(b'{"secret":"of the result"}')
TEXT = "a text that must not be shown"


async def held(journal: SqliteJournal, number: int, block: str = "hello") -> Lease:
    """Accept and claim an execution."""
    token = Token(FakePlatform(seed=number).issue(block))
    call = Execution(name(number), block, token, {"name": TEXT}, b"{}", 1_700_000_000.0 + number)
    await journal.accept(call, 10)
    [lease] = await journal.claim("first", {block: 1}, 1)
    return lease


async def several(journal: SqliteJournal) -> None:
    """Settle an execution with each kind of outcome; one more waits."""
    for number, outcome in enumerate([DONE, DEAD, PARKED, LEFT], 1):
        lease = await held(journal, number, "loan" if outcome is DONE else "hello")
        await journal.record_intent(lease, Effect(0, "send", "abc"))
        sent = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":77,"created_at":1}')
        await journal.record_effect(lease, sent)
        if outcome is LEFT:
            await journal.record_effect(lease, Effect(1, "send", "def", EffectState.UNKNOWN))
        else:
            await journal.record_effect(
                lease, Effect(1, "step:rate", "", EffectState.CONFIRMED, b"1")
            )
            await journal.record_result(lease, RESULT, completing=True)
        await journal.settle(lease, outcome)
    await held(journal, 5)


def listed(shell: Any, *options: str) -> list[dict[str, Any]]:
    """Return what `list --json` prints."""
    done = shell.run("executions", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_list_shows_state_code_dialog_and_reason(shell: Any) -> None:
    """Newest first, with state, code, dialog and reason, and a line with the counts."""
    fill(shell, several)
    done = shell.run("executions", "list")
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines if line[:4].isdigit()]
    assert [row[0] for row in rows] == [name(n) for n in (5, 4, 3, 2, 1)]
    assert rows[2][-3:] == ["parked", "unreachable", "1"]
    assert "  the completion did not get through: 503" in lines
    assert lines[-1].strip() == "5 executions: 1 waiting, 3 parked, 1 completed"


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "options, numbers",
    [
        ((), [5, 4, 3, 2, 1]),
        (("--phase", "waiting"), [5]),
        (("--outcome", "parked"), [4, 3, 2]),
        (("--block", "loan"), [1]),
        (("--code", "unknown"), [4]),
        (("--limit", "2"), [5, 4]),
        (("--since", "1h"), []),
        (("--since", "2023-11-14"), [5, 4, 3, 2, 1]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_the_list_can_be_filtered(shell: Any, options: tuple[str, ...], numbers: list[int]) -> None:
    """Each filter leaves the executions that match."""
    fill(shell, several)
    assert [record["execution"] for record in listed(shell, *options)] == [name(n) for n in numbers]


def test_show_prints_the_history(shell: Any) -> None:
    """Accepted, claimed, each message and step, the result, the completion, the outcome; no secret."""
    fill(shell, several)
    done = shell.run("executions", "show", name(3)[:6])
    words = [line[30:].split()[0] for line in done.stdout.splitlines()[1:8]]
    assert words == [
        "accepted",
        "claimed",
        "sent",
        "step_completed",
        "result_recorded",
        "completion_sent",
        "parked",
    ]
    assert "message 77" in done.stdout
    assert "Its dialog still waits" in done.stdout
    assert f"executions retry {name(3)}" in done.stdout
    everything = done.stdout + shell.run("executions", "show", "--json", name(3)).stdout
    for secret in (TEXT, "of the result", FakePlatform(seed=3).issue("hello")):
        assert secret not in everything


def test_an_execution_whose_block_is_completed_needs_no_action(shell: Any) -> None:
    """`show` and `retry` report that its block was completed as failed."""
    fill(shell, several)
    assert "No action is needed" in shell.run("executions", "show", name(2)).stdout
    refused = shell.run("executions", "retry", name(2), "--yes")
    assert refused.returncode == 1
    assert "has continued" in refused.stderr


def test_parked_executions_are_retried(shell: Any) -> None:
    """A recorded result will be sent again, otherwise the handler runs again; both wait for the service."""
    fill(shell, several)
    done = shell.run("executions", "retry", "--all-parked", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{name(3)}: the service will send its result again" in done.stdout
    assert f"{name(4)}: the service will run its handler again" in done.stdout
    assert {record["phase"] for record in listed(shell) if not record["outcome"]} == {"waiting"}


def test_a_dropped_execution_releases_its_dialog(shell: Any) -> None:
    """An execution that waits will be completed as failed; a parked one is deleted."""
    fill(shell, several)
    done = shell.run("executions", "drop", name(5), name(4), "--yes")
    assert done.returncode == 0, done.stderr
    assert "completed as failed (dropped)" in done.stdout
    assert f"{name(4)}: deleted" in done.stdout
    left = {record["execution"]: record for record in listed(shell)}
    assert name(4) not in left
    assert (left[name(5)]["phase"], left[name(5)]["code"]) == ("waiting", "dropped")


def test_a_running_service_is_asked(shell: Any, platform: Any) -> None:
    """While a service has the journal open, its executions are listed and shown."""
    waiting = """
import asyncio
from vertexkit import App, Context
app = App()
@app.block("wait")
async def wait(ctx: Context) -> None:
    await ctx.send_message("working")
    await asyncio.Event().wait()
"""
    (shell.folder / "waiting.py").write_text(waiting, encoding="utf-8")
    url = f"http://127.0.0.1:{platform.port}/api"
    service = shell.start("run", "waiting:app", "--port=0", platform_url=url, grace="0")
    service.wait_for('"started"')
    call = f"http://127.0.0.1:{service.port}/blocks/wait"
    token = fetch(f"http://127.0.0.1:{platform.port}/token")
    execution = json.loads(fetch(call, json.dumps({"token": token}).encode()))["execution"]
    platform.wait_for("working")
    [one] = listed(shell, "--phase", "running")
    assert one["execution"] == execution
    shown = shell.run("executions", "show", execution).stdout
    assert "Its handler is running in worker" in shown
    refused = shell.run("executions", "drop", execution, "--yes")
    assert refused.returncode == 1
    assert "is running" in refused.stderr
    assert service.end(signal.SIGTERM) == 0
    assert [record["phase"] for record in listed(shell)] == ["waiting"]


def fetch(url: str, body: bytes | None = None) -> str:
    """Return the response's body."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize(
    "command, settings, error",
    [
        (("list",), {}, "does not exist"),
        (("list",), {"journal": "memory:"}, "can only be read by the process"),
        (("show", "abc"), {}, "does not exist"),
        (("list", "--since", "yesterday"), {}, "30m, 2h or 7d"),
    ],
)
def test_errors_are_one_line(
    shell: Any, command: tuple[str, ...], settings: dict[str, str], error: str
) -> None:
    """The error is one sentence with the fix; no file is created."""
    done = shell.run("executions", *command, **settings)
    assert done.returncode in {1, 2}
    assert error in done.stderr
    assert not (shell.folder / ".vertexkit").exists()


def test_an_unknown_or_ambiguous_id_is_an_error(shell: Any) -> None:
    """An unknown id and the start of several ids are different errors."""
    fill(shell, several)
    assert "there is no execution ffff" in shell.run("executions", "show", "ffff").stderr
    assert "the ids of 5 executions start with 00" in shell.run("executions", "show", "00").stderr
    none = shell.run("executions", "retry", "--yes")
    assert none.returncode == 2
    assert "Name an execution, or use --all-parked." in none.stderr
