"""`vertexkit executions save-test`: from an execution to a recording and a pytest."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.cli.executions.filled_journal import fill, name
from tests.cli.shell import Shell
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.recordings import RecordingsFolder
from vertexkit.testing import FakePlatform
from vertexkit.token import Token

BLOCKS = """
from typing import Literal

from pydantic import BaseModel
from vertexkit import App, BlockFailed, Context

app = App()


class Payment(BaseModel):
    amount: int


class Loan(BaseModel):
    name: str
    born: str = ""
    amount: int = 0
    currency: Literal["RUB", "USD"] = "RUB"


@app.block("loan", title="Loan")
async def loan(ctx: Context, request: Loan) -> dict[str, int]:
    await ctx.send_message(f"Hello, {request.name}!")
    if request.amount > 1_000_000:
        raise BlockFailed("too_much", "We do not lend that.")
    return {"monthly": 1200 // request.amount}


@app.block("pay", title="Pay")
async def pay(ctx: Context, name: str) -> None:
    await ctx.send_message("Pay, please.")
    await ctx.wait_for("payment", Payment, timeout=3600)
"""
UNREACHABLE = Outcome(OutcomeStatus.PARKED, "internal", reason="the completion did not get through")
DECLINED = Outcome(OutcomeStatus.PARKED, "too_much", reason="the completion did not get through")
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":77,"created_at":1}')


async def held(journal: SqliteJournal, number: int, block: str, inputs: dict[str, Any]) -> Lease:
    """Accept and claim an execution, and send its first message."""
    token = Token(FakePlatform(seed=number).issue(block))
    call = Execution(name(number), block, token, inputs, b"{}", 1_700_000_000.0 + number)
    await journal.accept(call, 10)
    [lease] = await journal.claim("first", {block: 1}, 1)
    await journal.record_effect(lease, SENT)
    return lease


async def production(journal: SqliteJournal) -> None:
    """A call that fails, one that its author declines, one that waits, one that has ended."""
    failed = await held(journal, 1, "loan", {"name": "Аня Петрова", "amount": 0, "currency": "USD"})
    await journal.settle(failed, UNREACHABLE)
    declined = await held(journal, 2, "loan", {"name": "Аня Петрова", "amount": 2_000_000})
    await journal.settle(declined, DECLINED)
    waits = await held(journal, 3, "pay", {"name": "Аня Петрова"})
    wait = Effect(1, "wait:payment", value=b'{"until":1700003600.0,"type":"Payment"}')
    await journal.record_intent(waits, wait)
    await journal.suspend(waits, 3600, 0.0)
    ended = await held(journal, 4, "loan", {"name": "Аня Петрова", "amount": 12})
    await journal.settle(ended, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))


@pytest.fixture
def service(shell: Shell) -> Shell:
    """A folder with the journal of a stopped service, and its blocks."""
    (shell.folder / "block.py").write_text(BLOCKS, encoding="utf-8")
    fill(shell, production)
    return shell


def run_pytest(folder: Path, tests: str = "tests") -> tuple[int, str]:
    """Run all tests of a folder with pytest, as a developer does."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VERTEXKIT_")}
    ended = forked.run(
        "pytest",
        ("-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-rA", str(folder / tests)),
        folder=folder,
        environment=kept,
    )
    return ended.returncode, ended.stdout + ended.stderr


def saved(service: Shell, number: int, *options: str, **settings: str) -> dict[str, Any]:
    ended = service.run("executions", "save-test", name(number)[:6], "--json", *options, **settings)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def test_saved_tests_end_as_production_did(service: Shell) -> None:
    """The test of a call that failed fails until the block is fixed; those of others pass."""
    failed, *others = [saved(service, number) for number in (1, 2, 3)]
    assert [failed["passes"], *(other["passes"] for other in others)] == [False, True, True]
    code, printed = run_pytest(service.folder)
    assert code == 1, printed
    assert "1 failed, 2 passed" in printed
    assert "ZeroDivisionError" in printed
    fixed = BLOCKS.replace("1200 // request.amount", "1200 // max(1, request.amount)")
    (service.folder / "block.py").write_text(fixed, encoding="utf-8")
    code, printed = run_pytest(service.folder)
    assert (code, "3 passed" in printed) == (0, True), printed


def test_texts_are_masked_unless_they_are_kept(service: Shell) -> None:
    """What a user wrote is in no file; the command names it; a listed value stays."""
    found = saved(service, 1)
    assert found["masked"] == ["name"]
    files = [
        (service.folder / found[file]).read_text(encoding="utf-8") for file in ("test", "recording")
    ]
    for text in files:
        assert "Аня" not in text
        assert "xxx xxxxxxx" in text
        assert "USD" in text
    kept = saved(service, 1, "--keep-texts", "-o", "kept")
    assert kept["masked"] == []
    assert 'name="Аня Петрова"' in (service.folder / kept["test"]).read_text(encoding="utf-8")


def test_the_command_says_what_it_has_written(service: Shell) -> None:
    """The files, what the test expects, and what is masked."""
    ended = service.run("executions", "save-test", name(1))
    assert ended.returncode == 0, ended.stderr
    for text in (
        "loan, parked with code internal",
        "Saved tests/test_loan_",
        "The test fails until the block handles this call.",
        "Masked texts: name. To keep them, use --keep-texts.",
    ):
        assert text in ended.stdout
    again = service.run("executions", "save-test", name(1))
    assert again.returncode == 2
    assert "already exists" in again.stderr


def test_erased_inputs_need_a_recording(service: Shell) -> None:
    """The inputs of a completed call are erased: its test needs the recording of the service."""
    ended = service.run("executions", "save-test", name(4))
    assert ended.returncode == 1
    assert "set VERTEXKIT_RECORD to a folder" in ended.stderr
    folder = RecordingsFolder(service.folder / "runs")
    recorder = folder.start("loan", 0.0, execution=name(4), inputs={"name": "Аня", "amount": 12})
    request = {"text": "Hello, Аня!", "typing": True}
    recorder.request(0.1, method="send_message", request=request, status=200, processed=True)
    result = {"data": {"monthly": 100}}
    recorder.request(0.2, method="complete", request=result, status=204, processed=True)
    recorder.end(0.3, "completed", "ok")
    masked = saved(service, 4, record="runs")
    assert masked["recorded"]
    assert "Аня" not in (service.folder / masked["recording"]).read_text(encoding="utf-8")
    exact = saved(service, 4, "--keep-texts", "-o", "exact", record="runs")
    test = (service.folder / exact["test"]).read_text(encoding="utf-8")
    assert 'assert run.messages == ["Hello, Аня!"]' in test
    assert 'assert run.data == {"monthly": 100}' in test
    code, printed = run_pytest(service.folder, "exact")
    assert (code, "1 passed" in printed) == (0, True), printed


def test_a_journal_in_memory_is_refused(service: Shell) -> None:
    """Only the process that owns a memory: journal can read it, and the error says so."""
    ended = service.run("executions", "save-test", name(1), journal="memory:")
    assert ended.returncode != 0
    assert "memory:" in ended.stderr
    assert "process that owns it" in ended.stderr
