"""`vertexkit executions`: an operator sees what is in the journal, and may act on it."""

import asyncio
import json
import signal
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from vertexkit.clock import Clock
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease, NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
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
TEXT = "a text that nobody may see"

Fill = Callable[[SqliteJournal], Awaitable[None]]


def name(number: int) -> str:
    """The id of an execution."""
    return f"{number:04x}{'e' * 18}"


def fill(shell: Any, work: Fill) -> None:
    """Let a process work with the journal of this folder, and end."""

    async def run() -> None:
        path = shell.folder / ".vertexkit" / "journal.db"
        journal = SqliteJournal(path, Clock(), JournalSettings())
        await journal.open(NullJournalObserver())
        await work(journal)
        await journal.close()

    asyncio.run(run())


async def held(journal: SqliteJournal, number: int, block: str = "hello") -> Lease:
    """Accepted and claimed."""
    token = Token(FakePlatform(seed=number).issue(block))
    call = Execution(name(number), block, token, {"name": TEXT}, b"{}", 1_700_000_000.0 + number)
    await journal.accept(call, 10)
    [lease] = await journal.claim("first", {block: 1}, 1)
    return lease


async def several(journal: SqliteJournal) -> None:
    """One of each kind of end, and one that waits."""
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
    """What `list --json` prints."""
    done = shell.run("executions", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_list_is_read_at_a_glance(shell: Any) -> None:
    """The newest first, with state, code, dialog and reason, and a line that counts them."""
    fill(shell, several)
    done = shell.run("executions", "list")
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines if line[:4].isdigit()]
    assert [row[0] for row in rows] == [name(n) for n in (5, 4, 3, 2, 1)]
    assert rows[2][-3:] == ["parked", "unreachable", "1"]
    assert "  the completion did not get through: 503" in lines
    assert lines[-1].strip() == "5 executions: 1 waiting, 3 parked, 1 completed"


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
def test_the_list_can_be_narrowed(shell: Any, options: tuple[str, ...], numbers: list[int]) -> None:
    """Each filter leaves those that it says."""
    fill(shell, several)
    assert [each["execution"] for each in listed(shell, *options)] == [name(n) for n in numbers]


def test_a_timeline_tells_the_story(shell: Any) -> None:
    """Accepted, claimed, each message and step, the result, the tries, the end; no secret."""
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


def test_a_dialog_that_has_gone_on_needs_nobody(shell: Any) -> None:
    """Of a parked execution whose block was completed as failed that is said, and retry says it."""
    fill(shell, several)
    assert "No action is needed" in shell.run("executions", "show", name(2)).stdout
    refused = shell.run("executions", "retry", name(2), "--yes")
    assert refused.returncode == 1
    assert "has continued" in refused.stderr


def test_parked_executions_are_taken_up_again(shell: Any) -> None:
    """A fixed result will be sent again, another's handler run; both wait for the service."""
    fill(shell, several)
    done = shell.run("executions", "retry", "--all-parked", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{name(3)}: the service will send its result again" in done.stdout
    assert f"{name(4)}: the service will run its handler again" in done.stdout
    assert {each["phase"] for each in listed(shell) if not each["outcome"]} == {"waiting"}


def test_what_is_dropped_lets_its_dialog_go_on(shell: Any) -> None:
    """One that waits will be completed as failed; a parked one is forgotten."""
    fill(shell, several)
    done = shell.run("executions", "drop", name(5), name(4), "--yes")
    assert done.returncode == 0, done.stderr
    assert "completed as failed (dropped)" in done.stdout
    assert f"{name(4)}: deleted" in done.stdout
    left = {each["execution"]: each for each in listed(shell)}
    assert name(4) not in left
    assert (left[name(5)]["phase"], left[name(5)]["code"]) == ("waiting", "dropped")


def test_a_running_service_is_asked(shell: Any, platform: Any) -> None:
    """While a service has the journal, its own executions are listed, and shown as they run."""
    waiting = """
import asyncio
from vertexkit import App, Context
app = App()
@app.block("wait")
async def wait(ctx: Context) -> None:
    await ctx.send_message("begun")
    await asyncio.Event().wait()
"""
    (shell.folder / "waiting.py").write_text(waiting, encoding="utf-8")
    url = f"http://127.0.0.1:{platform.port}/api"
    service = shell.start("run", "waiting:app", "--port=0", platform_url=url, grace="0")
    service.wait_for('"started"')
    call = f"http://127.0.0.1:{service.port}/blocks/wait"
    token = fetch(f"http://127.0.0.1:{platform.port}/token")
    execution = json.loads(fetch(call, json.dumps({"token": token}).encode()))["execution"]
    platform.wait_for("begun")
    [one] = listed(shell, "--phase", "running")
    assert one["execution"] == execution
    shown = shell.run("executions", "show", execution).stdout
    assert "Its handler is running in worker" in shown
    refused = shell.run("executions", "drop", execution, "--yes")
    assert refused.returncode == 1
    assert "is running" in refused.stderr
    assert service.end(signal.SIGTERM) == 0
    assert [each["phase"] for each in listed(shell)] == ["waiting"]


def fetch(url: str, body: bytes | None = None) -> str:
    """What an address answers."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        said: str = answer.read().decode()
    return said


@pytest.mark.parametrize(
    "command, settings, said",
    [
        (("list",), {}, "does not exist"),
        (("list",), {"journal": "memory:"}, "can only be read by the process"),
        (("show", "abc"), {}, "does not exist"),
        (("list", "--since", "yesterday"), {}, "30m, 2h or 7d"),
    ],
)
def test_what_cannot_be_asked_is_told(
    shell: Any, command: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    """One sentence with the mend; and looking makes no file."""
    done = shell.run("executions", *command, **settings)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert not (shell.folder / ".vertexkit").exists()


def test_an_id_has_to_be_one(shell: Any) -> None:
    """One that is not there, and a beginning of several, are told apart."""
    fill(shell, several)
    assert "there is no execution ffff" in shell.run("executions", "show", "ffff").stderr
    assert "the ids of 5 executions start with 00" in shell.run("executions", "show", "00").stderr
    none = shell.run("executions", "retry", "--yes")
    assert none.returncode == 2
    assert "Name an execution, or use --all-parked." in none.stderr
