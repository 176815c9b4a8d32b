"""`vertexkit dev` without a browser: runs, faults, reload, and access."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.cli.shell import HELLO, Shell
from tests.playground.dev import Dev, messages
from vertexkit.journal.sqlite.schema import APPLICATION_ID, VERSION


def names(record: dict[str, Any]) -> list[str]:
    return [line["name"] for line in record["lines"] if line["kind"] == "event"]


@pytest.mark.unmeasured
def test_from_an_empty_folder_to_the_first_answer(shell: Shell) -> None:
    """`new`, `dev` and a run work one after the other in an empty folder."""
    assert shell.run("new", "greet", "--lang", "en").returncode == 0
    shell.folder /= "greet"
    dev = Dev(shell)
    assert "To serve the blocks to Bot.one, use vertexkit run" in "\n".join(dev.process.lines)
    status, state = dev.ask("/playground/state")
    assert (status, [block["name"] for block in state["blocks"]]) == (200, ["greet"])
    record = dev.run("greet", inputs={"name": "Anna"})
    assert any("Anna" in message for message in messages(record))
    assert record["lines"][-1]["code"] == "ok"


def test_a_run_is_recorded(dev: Dev) -> None:
    """The recording has events, requests, logs and the end, without the token."""
    record = dev.run("hello", inputs={"name": "Аня 👋", "times": 2})
    assert messages(record) == ["Привет, Аня 👋!"] * 2
    kinds = [line["kind"] for line in record["lines"]]
    assert kinds.count("request") == 3
    assert [line["event"] for line in record["lines"] if line["kind"] == "log"] == ["greeted"]
    assert record["lines"][-1] | {"at": 0} == {
        "kind": "end",
        "at": 0,
        "outcome": "completed",
        "code": "ok",
    }
    [kept] = (dev.folder / ".vertexkit" / "runs").glob("*.jsonl")
    assert "token" not in kept.read_text(encoding="utf-8")
    dev.process.wait_for('done       {"greeted": "Аня 👋"}')
    _, runs = dev.ask("/playground/runs")
    assert [(run["block"], run["messages"], run["code"]) for run in runs] == [("hello", 2, "ok")]


def test_a_journal_of_another_version_is_moved_away(shell: Shell) -> None:
    """`dev` says where the journal of another format is now, and starts with a new one."""
    folder = shell.folder / ".vertexkit" / "dev"
    folder.mkdir(parents=True)
    old = folder / "journal.db"
    with closing(sqlite3.connect(old)) as journal:
        journal.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        journal.execute(f"PRAGMA user_version = {VERSION + 1}")
    old.chmod(0o600)
    written = old.read_bytes()
    dev = Dev(shell, "hello:app")
    [moved] = folder.parent.glob("dev-*")
    assert (moved / "journal.db").read_bytes() == written
    assert any(f"moved to .vertexkit/{moved.name}" in line for line in dev.process.lines)
    assert dev.run("hello", inputs={"name": "Anna"})["lines"][-1]["code"] == "ok"


def test_a_rejected_call_names_its_fields(shared_dev: Dev) -> None:
    """The run ends with the outcome `rejected` and the validation errors."""
    record = shared_dev.run("hello", inputs={"name": 5})
    end = record["lines"][-1]
    assert (end["outcome"], end["status"]) == ("rejected", 422)
    assert end["answer"]["errors"][0]["loc"] == ["name"]


def test_a_run_resumes_after_a_kill_without_repeated_messages(shared_dev: Dev) -> None:
    """kill -9 after the first of three messages: another process sends the others, once each.

    The kill may hit the process when it is about to send the second one. That is not sent again then,
    because its outcome is unknown.
    """
    record = shared_dev.run("hello", inputs={"name": "Аня", "times": 3}, fault="crash", after=1)
    assert set(messages(record)) == {"Привет, Аня!"}
    unknown = names(record).count("send_outcome_unknown")
    assert 3 - min(unknown, 1) <= len(messages(record)) <= 3
    assert names(record).count("claimed") == 2
    assert record["lines"][-1]["code"] == "ok"


@pytest.mark.parametrize(
    "fault, event",
    [
        ("rate_limit", "send_retried"),
        ("server_error", "completion_retried"),
        ("lost", "send_outcome_unknown"),
        ("duplicate", "deduplicated"),
    ],
)
def test_each_fault_is_seen_in_the_timeline(fault: str, event: str, shared_dev: Dev) -> None:
    """The simulated fault happens, and the run is completed despite of it."""
    record = shared_dev.run("hello", inputs={"name": "Аня"}, fault=fault)
    assert event in names(record)
    assert messages(record) == ["Привет, Аня!"]
    assert record["run"]["fault"] == fault
    assert record["lines"][-1]["outcome"] == "completed"


@pytest.mark.unmeasured
def test_an_error_is_reported_until_the_file_is_fixed(dev: Dev) -> None:
    """A syntax error is reported with place, source and traceback; the next save serves the app."""
    (dev.folder / "hello.py").write_text(HELLO.replace("app = App()", "app = = App()"))
    problem = dev.phase("broken")["problem"]
    assert problem["place"].startswith("hello.py:")
    assert "SyntaxError" in problem["error"]
    assert "app = = App()" in problem["traceback"]
    (dev.folder / "hello.py").write_text(HELLO.replace("Привет", "Здравствуй"))
    dev.phase("ready")
    assert messages(dev.run("hello", inputs={"name": "Аня"})) == ["Здравствуй, Аня!"]


def test_a_saved_test_passes(dev: Dev, shell: Shell) -> None:
    """The saved pytest file passes with plain `pytest`, including its faults."""
    record = dev.run("hello", inputs={"name": "Аня", "times": 2}, fault="rate_limit")
    status, saved = dev.ask(f"/playground/runs/{record['run']['id']}/test", {}, "POST")
    assert status == 201
    assert 'fake_platform.fail("send_message", status=429' in saved["code"]
    done = forked.run(
        "pytest",
        ["-q", "-p", "no:cacheprovider", *forked.PYTEST_OPTION.split(), saved["path"]],
        folder=dev.folder,
        environment=shell.environment(),
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_call_from_outside_is_a_run_too(dev: Dev) -> None:
    """A call by curl with a token of the playground is forwarded, answered and recorded."""
    _, token = dev.ask("/token?block=hello")
    status, answer = dev.ask("/blocks/hello", {"token": token, "name": "Curl"})
    assert (status, len(answer["execution"])) == (200, 22)
    _, runs = dev.ask("/playground/runs")
    assert messages(dev.ended(runs[0]["id"])) == ["Привет, Curl!"]


def test_other_sites_are_rejected(dev: Dev) -> None:
    """A foreign host or origin is rejected, and no file outside of the static ones is served."""
    assert dev.ask("/playground/state", Host="evil.example")[0] == 400
    run = {"block": "hello", "inputs": {"name": "x"}}
    assert dev.ask("/playground/runs", run, Origin="https://evil.example")[0] == 403
    assert dev.ask("/api/v2/conversations", Host="evil.example")[0] == 400
    assert dev.ask("/api/vertex/v1/complete", run, Origin="https://evil.example")[0] == 403
    assert dev.ask("/playground/runs")[1] == []
    assert dev.ask("/static/../worker.py")[0] == 404
    assert dev.ask("/playground/runs/..%2f..%2fhello")[0] in {404, 422}


@pytest.mark.parametrize(
    "request_body, problem",
    [
        ({"block": "other"}, "unknown block 'other'; the app has hello"),
        ({"block": "hello", "inputs": {"name": "x"}, "fault": "fire"}, "unknown fault 'fire'"),
        ({"inputs": {}}, "{block, inputs, fault, after, faults, seed}"),
        ({"block": "hello", "inputs": {"name": "x"}, "after": float("inf")}, "{block, inputs, "),
        ({"block": "hello", "inputs": {"name": "x"}, "after": float("nan")}, "{block, inputs, "),
        ([1], "a JSON object"),
    ],
)
def test_an_invalid_request_is_explained(request_body: Any, problem: str, shared_dev: Dev) -> None:
    """An invalid request gets 422 and a sentence."""
    status, answer = shared_dev.ask("/playground/runs", request_body)
    assert (status, problem in answer["detail"]) == (422, True)


def test_half_an_emoji_in_an_input_is_repaired(shared_dev: Dev) -> None:
    """A lone surrogate in an input becomes U+FFFD, as in a call of the platform."""
    assert messages(shared_dev.run("hello", inputs={"name": "cut \ud83d"})) == [
        "Привет, cut \ufffd!"
    ]


def test_a_missing_app_is_explained(shell: Shell, tmp_path: Path) -> None:
    """In a folder without an app, the error says what to do."""
    (tmp_path / "hello.py").unlink()
    done = shell.run("dev", "--no-open", "--port", "0")
    assert done.returncode == 2
    assert "vertexkit new" in done.stderr


def test_replay_runs_the_current_code(dev: Dev, shell: Shell) -> None:
    """`replay --assert` passes while the block behaves the same, and shows what changed."""
    dev.run("hello", inputs={"name": "Аня"}, fault="rate_limit")
    same = shell.run("replay", "last", "--assert")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "Matches the recording." in same.stdout
    (dev.folder / "hello.py").write_text(HELLO.replace("Привет", "Здравствуй"))
    other = shell.run("replay", "last", "--assert")
    assert other.returncode == 1
    assert '-    "Привет, Аня!"' in other.stdout
    assert '+    "Здравствуй, Аня!"' in other.stdout
    result = json.loads(shell.run("replay", "last", "--json").stdout)
    assert result["same"] is False
