"""`vertexkit trigger` with blocks that wait: events are given as options or typed."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from vertexkit import App, Context, WaitTimeout
from vertexkit.cli.develop.waits import TerminalWaits, read_events
from vertexkit.errors import SettingsError
from vertexkit.recordings import RecordingsFolder
from vertexkit.recordings.generated_test import generate_test
from vertexkit.testing import FakeDialog
from vertexkit.testing.paced_clock import PacedClock
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.replay import replay

PAYMENT = """
import time
from pathlib import Path

from pydantic import BaseModel, Field

from vertexkit import App, Context, WaitTimeout

app = App()


class Payment(BaseModel):
    amount: int = Field(gt=0)


@app.block("pay")
async def pay(ctx: Context, amount: int = 100) -> dict[str, int]:
    try:
        payment = await ctx.wait_for("payment", Payment, timeout=3600)
    except WaitTimeout:
        return {"paid": 0}
    await ctx.sleep(86_400)
    await ctx.send_message("How was it?")
    return {"paid": payment.amount}


@app.block("block_loop")
async def block_loop(ctx: Context) -> None:
    while not Path("reported").exists():
        time.sleep(0.01)
"""
app = App()


class Payment(BaseModel):
    amount: int = Field(gt=0)


@app.block("pay")
async def pay(ctx: Context) -> dict[str, int]:
    try:
        payment = await ctx.wait_for("payment", Payment, timeout=3600)
    except WaitTimeout:
        return {"paid": 0}
    await ctx.sleep(7200)
    return {"paid": payment.amount}


@pytest.fixture
def payment(shell: Any) -> Any:
    (shell.folder / "payment.py").write_text(PAYMENT, encoding="utf-8")
    return shell


def test_events_are_given_as_options_and_replayed(payment: Any) -> None:
    """Invalid data is explained, the next event is sent, and `replay --assert` passes."""
    events = ("-e", 'payment={"amount": 0}', "-e", 'payment={"amount": 7}')
    done = payment.run("trigger", "payment:app", "pay", "--fast", *events)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wait  waiting for the event 'payment' until" in done.stdout
    assert "amount: Input should be greater than 0" in done.stdout
    assert 'you   event payment {"amount": 7}' in done.stdout
    assert "skipped 1 d" in done.stdout
    assert 'done  {"paid": 7}' in done.stdout
    same = payment.run("replay", "last", "--assert")
    assert same.returncode == 0, same.stdout + same.stderr
    [recording] = RecordingsFolder(Path(payment.folder) / ".vertexkit" / "runs")
    assert [(wait.event, wait.by_event) for wait in recording.waits()] == [
        ("payment", True),
        ("", False),
    ]
    code = generate_test(recording, Path(payment.folder) / "test_pay.py", {})
    assert 'waiting = await fake_dialog.start("pay")' in code
    assert 'await waiting.send_event("payment", {"amount": 7})' in code
    assert "await waiting.skip(seconds=86400)" in code


def test_without_an_event_the_wait_times_out(payment: Any) -> None:
    """With --fast it ends at once."""
    done = payment.run("trigger", "payment:app", "pay", "--fast")
    assert 'done  {"paid": 0}' in done.stdout


def test_a_blocked_event_loop_is_reported(payment: Any) -> None:
    """The block and the line are printed, and what to do."""
    process = payment.start("trigger", "payment:app", "block_loop", stall="0.1")
    line = process.wait_for("slow  block_loop blocks the event loop: payment.py:")
    (payment.folder / "reported").touch()
    code = process.finish()
    assert code == 0, process.lines
    assert re.search(r"payment\.py:(29|30) in block_loop", line), line


@pytest.mark.parametrize("pair", ["payment", "=1", "payment={oops"])
def test_an_event_that_cannot_be_read_is_explained(pair: str) -> None:
    """Names and JSON are checked before the block runs."""
    with pytest.raises(SettingsError, match=r"NAME=JSON|not valid JSON"):
        read_events([pair])


class Printed:
    """A printer that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def waiting(self, event: str, seconds: float, *, asks: bool) -> None:
        self.lines.append(("waiting", event, asks))

    def event_sent(self, name: str, data: Any) -> None:
        self.lines.append(("sent", name, data))

    def event_rejected(self, answer: Mapping[str, Any]) -> None:
        self.lines.append(("rejected", answer["detail"].partition(":")[0]))

    def time_skipped(self, seconds: float) -> None:
        self.lines.append(("skipped", round(seconds, -2)))  # the rest of a wait in real time


def typed(*lines: str) -> Callable[[str], str]:
    rest = list(lines)

    def read(_: str) -> str:
        if not rest:
            raise EOFError
        return rest.pop(0)

    return read


async def ask(*lines: str) -> tuple[Any, Printed]:
    platform, printed = FakePlatform(clock=PacedClock()), Printed()
    token = platform.issue("pay")
    async with FakeDialog(app, platform, virtual_sleep=False) as dialog:
        waits = TerminalWaits(dialog, ("pay", token), {}, printed, typed(*lines))
        async with waits:
            run = await dialog.call("pay", {}, token)
    return run, printed


async def test_a_user_types_the_event() -> None:
    """Until it is accepted; then Enter lets the time pass."""
    run, printed = await ask("{oops", '{"amount": 0}', '{"amount": 5}', "")
    assert run.data == {"paid": 5}
    assert printed.lines == [
        ("waiting", "payment", True),
        ("rejected", "This is not JSON"),
        ("rejected", "The data of the event is invalid; the execution still waits for it."),
        ("sent", "payment", {"amount": 5}),
        ("waiting", "", True),
        ("skipped", 7200),
    ]


async def test_the_end_of_the_input_skips_the_wait() -> None:
    """As `skip` does: the wait times out."""
    run, printed = await ask()
    assert run.data == {"paid": 0}
    assert printed.lines[-1] == ("skipped", 3600)


async def test_a_replay_ends_though_the_code_waits_differently(tmp_path: Path) -> None:
    """Events that the current code does not take are ignored; waits without an event time out."""
    recorder = RecordingsFolder(tmp_path).start("pay", 0.0)
    recorder._line(
        "event", 1.0, name="waiting", fields={"position": 0, "event": "x", "seconds": 60}
    )
    recorder._line("event", 2.0, name="waited", fields={"position": 0, "event": "x", "data": {}})
    recorder.end(3.0, "completed", "ok")
    [recording] = RecordingsFolder(tmp_path)
    assert (await replay(app, recording)).run.data == {"paid": 0}
