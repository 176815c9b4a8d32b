"""`vertexkit check --recorded` and `--chaos`."""

import json
from typing import Any

import pytest

from tests.cli.shell import Shell
from vertexkit import App, Context
from vertexkit.cli.check.example_inputs import find_inputs
from vertexkit.errors import SettingsError
from vertexkit.recordings import RecordingsFolder
from vertexkit.telemetry.events import Event

BLOCKS = """
import httpx
from pydantic import BaseModel, Field
from vertexkit import App, Context, http_client

app = App()


class Loan(BaseModel):
    amount: int = Field(gt=0, examples=[100_000])
    months: int = Field(12, ge=1, le=120)


@app.block("loan", title="Loan")
async def loan(ctx: Context, request: Loan) -> dict[str, int]:
    await ctx.send_message(f"{request.amount} for {request.months} months")
    return {"monthly": request.amount // request.months}


class Payment(BaseModel):
    amount: int


@app.block("pays", title="Pays")
async def pays(ctx: Context, names: list[str]) -> None:
    await ctx.wait_for("payment", Payment, timeout=60)
    await ctx.wait_for("any")
    for name in names:
        await ctx.wait_for(name, Payment)


@app.block("asks", title="Asks a service")
async def asks(ctx: Context) -> None:
    async with http_client() as client:
        await client.get("https://rates.example/now")
"""


@pytest.fixture
def project(shell: Shell) -> Shell:
    """A folder with blocks and three recorded runs: one has inputs that are too large now."""
    (shell.folder / "block.py").write_text(BLOCKS, encoding="utf-8")
    folder = RecordingsFolder(shell.folder / "runs")
    for block, inputs in (
        ("loan", {"amount": 5, "months": 360}),
        ("loan", {"amount": 7, "months": 12}),
        ("loans", {}),
    ):
        folder.start(block, 0.0, inputs=inputs).end(1.0, "completed", "ok")
    return shell


def test_recorded_inputs_are_validated(project: Shell) -> None:
    """Inputs that the current code rejects are named without their values; the exit code is 1."""
    ended = project.run("check", "block.py", "--recorded", "runs", "--json")
    assert ended.returncode == 1
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    problems = sorted((run["block"], problem) for run in found for problem in run["problems"])
    assert problems == [
        ("loan", "months: Input should be less than or equal to 120"),
        ("loans", "the app has no such block. Did you mean 'loan'?"),
    ]
    assert len(found) == 3
    table = project.run("check", "block.py", "--recorded", "runs").stdout
    assert "months: Input should be less than or equal to 120" in table
    assert "3 recordings: 1 fit, 2 do not" in table


def test_a_folder_without_recordings_is_a_usage_error(shell: Shell) -> None:
    """The check of nothing does not pass."""
    ended = shell.run("check", "hello.py", "--recorded", "nowhere")
    assert ended.returncode == 2
    assert "nowhere has no recordings" in ended.stderr


def test_chaos_runs_blocks(project: Shell) -> None:
    """A table of the failures; with --block, the others do not run; the exit code is 0."""
    ended = project.run("check", "block.py", "--chaos", "--block", "loan")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "loan   killed after effect 1          1             completed    kept" in ended.stdout
    assert "no promise was broken" in ended.stdout
    for options, message in (((), "100000 for 12"), (("--recorded", "runs"), "7 for 12")):
        ended = project.run("check", "block.py", "--chaos", "--block", "loan", "--json", *options)
        first = json.loads(ended.stdout.splitlines()[0])
        assert first["messages"] == [f"{message} months"]


def test_a_block_that_fails_without_a_fault_fails_the_check(project: Shell) -> None:
    """Requests to other hosts are refused, and the line names the host."""
    ended = project.run("check", "block.py", "--chaos", "--block", "asks")
    assert ended.returncode == 1
    assert "asks fails without a fault" in ended.stdout
    assert "To allow it: --allow-host rates.example" in ended.stdout


def test_inputs_are_made_or_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A preset comes first, then a schema's examples; what the block rejects is an error."""
    app = App()

    @app.block("pick")
    async def pick(ctx: Context, n: int, word: str, code: Any = None) -> None: ...

    monkeypatch.chdir(tmp_path)
    block = app.blocks["pick"]
    assert find_inputs(block, None, []) == {"n": 1, "word": "text"}
    folder = tmp_path / "inputs" / "pick"
    folder.mkdir(parents=True)
    (folder / "good.json").write_text('{"n": 3, "word": "a"}')
    (folder / "bad.json").write_text('{"n": "three", "word": "a"}')
    assert find_inputs(block, "good", []) == {"n": 3, "word": "a"}
    with pytest.raises(SettingsError, match="rejects the inputs of the preset"):
        find_inputs(block, "bad", [])


def test_recorded_events_are_validated(shell: Shell) -> None:
    """An event is validated with the type that the handler waits with, as far as that is known."""
    (shell.folder / "block.py").write_text(BLOCKS, encoding="utf-8")
    recorder = RecordingsFolder(shell.folder / "runs").start("pays", 0.0, inputs={"names": ["x"]})
    for position, (name, data) in enumerate(
        [("payment", {"amount": "many"}), ("any", 1), ("x", {"amount": 1})]
    ):
        waits = {"event": name, "position": position}
        recorder.event(Event("waiting", "e", 0.1, waits | {"seconds": 60.0}))
        recorder.event(Event("waited", "e", 0.2, waits | {"data": data}))
    recorder.end(1.0, "completed", "ok")
    ended = shell.run("check", "block.py", "--recorded", "runs", "--json")
    assert ended.returncode == 1
    found = json.loads(ended.stdout)
    (problem,) = found["problems"]
    assert problem.startswith("event payment: amount: Input should be a valid integer")
    assert found["unchecked"] == ["x"]
