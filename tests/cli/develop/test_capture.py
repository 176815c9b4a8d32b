"""`vertexkit capture`: what a platform sends is on record, and no secret of it."""

import importlib.util
import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from vertexkit import RawCall
from vertexkit.testing import FakePlatform

BLOCK = "/blocks/hello"


@pytest.fixture
def token() -> str:
    """A token of the shape that a platform gives."""
    return FakePlatform(seed=5).issue("hello")


def record(shell: Any, *requests: urllib.request.Request, options: tuple[str, ...] = ()) -> Any:
    """Send these to a recorder; gives what it printed, and the recordings."""
    recorder = shell.start("capture", "--port", "0", *options)
    recorder.wait_for("Recording")
    answers = []
    for request in requests:
        request.full_url = f"http://127.0.0.1:{recorder.port}{request.full_url[8:]}"
        with urllib.request.urlopen(request, timeout=10) as answer:
            answers.append((answer.status, answer.read()))
        recorder.wait_for("saved to")
    recorder.end(signal.SIGINT)
    files = sorted((shell.folder / ".vertexkit" / "captures").glob("*.json"))
    recordings = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return "\n".join(recorder.said), recordings, answers


def post(path: str, body: bytes, **headers: str) -> urllib.request.Request:
    headers = {"content-type": "application/json"} | headers
    return urllib.request.Request(f"http://x{path}", body, headers, method="POST")


def test_a_call_is_on_record_as_it_came(shell: Any, token: str) -> None:
    """Method, path, headers and body are kept; it is told what vertexkit reads from it."""
    body = json.dumps({"token": token, "city": "Орёл", "n": 3}, ensure_ascii=False).encode()
    said, [recording], [answer] = record(shell, post(BLOCK, body, **{"x-request": "17"}))
    assert answer == (200, b"{}")
    assert (recording["method"], recording["path"]) == ("POST", BLOCK)
    assert ["x-request", "17"] in recording["headers"]
    kept = json.loads(recording["body"])
    assert {**kept, "token": None} == {"token": None, "city": "Орёл", "n": 3}
    assert recording["reading"]["inputs"] == {"city": "str", "n": "int"}
    assert recording["claims"]["dialog_id"] == "int"
    assert "inputs: city (str), n (int)" in said
    assert "dialog_id (int)" in said


def test_no_secret_is_written_or_shown(shell: Any, token: str) -> None:
    """Wherever a token stands it is masked, and its shape is still there."""
    places = [
        post(BLOCK, json.dumps({"token": token}).encode()),
        post(f"{BLOCK}?key={token}", b"{}"),
        post(BLOCK, b"{}", authorization=f"Bearer {token}", cookie="session=opensesame"),
        post(BLOCK, json.dumps({"deep": [{"jwt": token}], "password": "opensesame"}).encode()),
        post(BLOCK, f"token={token}&a=1".encode(), **{"content-type": "application/x-www-form"}),
        post(f"{BLOCK}/{token}", b"not json " + token.encode()),
    ]
    said, recordings, _ = record(shell, *places)
    assert len(recordings) == len(places)
    everything = said + json.dumps(recordings)
    for secret in (token, *token.split("."), "opensesame"):
        assert secret not in everything
    masked = json.loads(recordings[0]["body"])["token"]
    assert [len(part) for part in masked.split(".")] == [len(part) for part in token.split(".")]


@pytest.mark.parametrize(
    "body, headers, query",
    [
        ({"payload": {"auth": [{"access_token": "TOKEN"}]}, "x": 1}, {}, ""),
        ({"x": 1}, {"authorization": "Bearer TOKEN"}, ""),
        ({"x": 1}, {}, "?token=TOKEN"),
    ],
    ids=["deep", "header", "query"],
)
def test_a_reader_is_written_where_the_usual_one_does_not_fit(
    shell: Any, token: str, body: Any, headers: dict[str, str], query: str
) -> None:
    """The skeleton, as it is, finds the token of the very call that it was made from."""
    sent = json.dumps(body).replace("TOKEN", token).encode()
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    query = query.replace("TOKEN", token)
    said, [recording], _ = record(shell, post(f"{BLOCK}{query}", sent, **headers))
    assert "missing_token" in recording["reading"]["rejected"]
    [skeleton] = (shell.folder / ".vertexkit" / "captures").glob("*.py")
    assert str(skeleton.name) in said
    assert token not in skeleton.read_text(encoding="utf-8")
    reader = load(skeleton)
    call = reader.read_call(RawCall(BLOCK, sent, headers, query.removeprefix("?")))
    assert call.token == token
    assert call.inputs == json.loads(sent)


def load(path: Path) -> Any:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location("reader", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_answers_as_it_is_told(shell: Any) -> None:
    """A platform that waits for another answer can be given one."""
    options = ("--status", "202", "--body", '{"ok": true}')
    _, _, [answer] = record(shell, post("/any/path", b"{}"), options=options)
    assert answer == (202, b'{"ok": true}')


def test_a_large_body_does_not_fill_the_memory(shell: Any) -> None:
    """What is over a megabyte is cut, and the call is answered all the same."""
    _, [recording], [answer] = record(shell, post(BLOCK, b"x y " * 1_000_000))
    assert answer[0] == 200
    assert len(recording["body"]) <= 1024 * 1024
