"""`vertexkit dev` without a browser: runs, faults, reload, and who may ask."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import HELLO, Shell
from tests.playground.conftest import Dev, messages


def names(record: dict[str, Any]) -> list[str]:
    return [line["name"] for line in record["lines"] if line["kind"] == "event"]


def test_from_an_empty_folder_to_the_first_answer(shell: Shell) -> None:
    """`new`, `dev`, a run: the path of a newcomer, without the browser."""
    assert shell.run("new", "greet", "--lang", "en").returncode == 0
    shell.folder /= "greet"
    dev = Dev(shell)
    status, state = dev.ask("/playground/state")
    assert (status, [block["name"] for block in state["blocks"]]) == (200, ["greet"])
    record = dev.run("greet", inputs={"name": "Anna"})
    assert any("Anna" in said for said in messages(record))
    assert record["lines"][-1]["code"] == "ok"


def test_a_run_is_told_and_kept(dev: Dev) -> None:
    """Events, requests, logs and the end, in order, without the token; the terminal shows it too."""
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


def test_a_call_that_does_not_fit_is_told_by_its_fields(dev: Dev) -> None:
    """The run ends as rejected, with the inputs that the block expects."""
    record = dev.run("hello", inputs={"name": 5})
    end = record["lines"][-1]
    assert (end["outcome"], end["status"]) == ("rejected", 422)
    assert end["answer"]["errors"][0]["loc"] == ["name"]


def test_a_killed_process_goes_on_without_a_repeated_message(dev: Dev) -> None:
    """kill -9 after the first of three messages: another process says the rest, once each."""
    record = dev.run("hello", inputs={"name": "Аня", "times": 3}, fault="crash", after=1)
    assert messages(record) == ["Привет, Аня!"] * 3
    assert names(record).count("claimed") == 2
    assert record["lines"][-1]["code"] == "ok"


@pytest.mark.parametrize(
    "fault, happened",
    [
        ("rate_limit", "send_retried"),
        ("server_error", "completion_retried"),
        ("lost", "send_outcome_unknown"),
        ("duplicate", "deduplicated"),
    ],
)
def test_each_fault_is_seen_in_the_timeline(fault: str, happened: str, dev: Dev) -> None:
    """What the switch promises happens, and the dialog ends well all the same."""
    record = dev.run("hello", inputs={"name": "Аня"}, fault=fault)
    assert happened in names(record)
    assert messages(record) == ["Привет, Аня!"]
    assert record["run"]["fault"] == fault
    assert record["lines"][-1]["outcome"] == "completed"


def test_a_slip_is_shown_and_the_next_save_recovers(dev: Dev) -> None:
    """A syntax error comes with place, source and traceback, while somebody listens; then it goes on."""
    (dev.folder / "hello.py").write_text(HELLO.replace("app = App()", "app = = App()"))
    problem = dev.phase("broken")["problem"]
    assert problem["place"].startswith("hello.py:")
    assert "SyntaxError" in problem["error"]
    assert "app = = App()" in problem["traceback"]
    (dev.folder / "hello.py").write_text(HELLO.replace("Привет", "Здравствуй"))
    dev.phase("ready")
    assert messages(dev.run("hello", inputs={"name": "Аня"})) == ["Здравствуй, Аня!"]


def test_a_saved_test_passes(dev: Dev, shell: Shell) -> None:
    """What the button writes is a pytest file that passes, faults and all."""
    record = dev.run("hello", inputs={"name": "Аня", "times": 2}, fault="rate_limit")
    status, saved = dev.ask(f"/playground/runs/{record['run']['id']}/test", {}, "POST")
    assert status == 201
    assert 'fake_platform.fail("send_message", status=429' in saved["code"]
    options = ["-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "-o", "anyio_mode=auto"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, saved["path"]],
        cwd=dev.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_call_from_elsewhere_is_a_run_too(dev: Dev) -> None:
    """curl with a token of the playground's own: forwarded, answered, recorded."""
    _, token = dev.ask("/token?block=hello")
    status, answer = dev.ask("/blocks/hello", {"token": token, "name": "Curl"})
    assert (status, len(answer["execution"])) == (200, 22)
    _, runs = dev.ask("/playground/runs")
    assert messages(dev.ended(runs[0]["id"])) == ["Привет, Curl!"]


def test_other_sites_may_not_ask(dev: Dev) -> None:
    """Neither by a name that leads here nor by a form of theirs; and no page runs strange scripts."""
    assert dev.ask("/playground/state", Host="evil.example")[0] == 400
    wanted = {"block": "hello", "inputs": {"name": "x"}}
    assert dev.ask("/playground/runs", wanted, Origin="https://evil.example")[0] == 403
    assert dev.ask("/playground/runs")[1] == []
    assert dev.ask("/static/../worker.py")[0] == 404
    assert dev.ask("/playground/runs/..%2f..%2fhello")[0] in {404, 422}


@pytest.mark.parametrize(
    "wanted, said",
    [
        ({"block": "nobody"}, "there is no block 'nobody'"),
        ({"block": "hello", "inputs": {"name": "x"}, "fault": "fire"}, "no fault 'fire'"),
        ({"inputs": {}}, "{block, inputs, fault, after}"),
        ([1], "a JSON object"),
    ],
)
def test_a_request_that_makes_no_sense_is_told(wanted: Any, said: str, dev: Dev) -> None:
    """422 and a sentence."""
    status, answer = dev.ask("/playground/runs", wanted)
    assert (status, said in answer["detail"]) == (422, True)


def test_no_app_is_told(shell: Shell, tmp_path: Path) -> None:
    """In a folder without one, the command names two ways on."""
    (tmp_path / "hello.py").unlink()
    done = shell.run("dev", "--no-open", "--port", "0")
    assert done.returncode == 2
    assert "vertexkit new" in done.stderr


def test_what_is_replayed_is_the_current_code(dev: Dev, shell: Shell) -> None:
    """`replay --assert` passes while the code says the same, and shows what changed when not."""
    dev.run("hello", inputs={"name": "Аня"}, fault="rate_limit")
    same = shell.run("replay", "last", "--assert")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "Matches the recording." in same.stdout
    (dev.folder / "hello.py").write_text(HELLO.replace("Привет", "Здравствуй"))
    other = shell.run("replay", "last", "--assert")
    assert other.returncode == 1
    assert '-    "Привет, Аня!"' in other.stdout
    assert '+    "Здравствуй, Аня!"' in other.stdout
    told = json.loads(shell.run("replay", "last", "--json").stdout)
    assert told["same"] is False
