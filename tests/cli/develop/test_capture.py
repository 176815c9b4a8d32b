"""`vertexkit capture`: calls are recorded without their secrets."""

import ast
import importlib.util
import json
import os
import signal
import stat
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest

from vertexkit import RawCall
from vertexkit.cli.develop.capture import CallRecorder, generate_reader
from vertexkit.testing import FakePlatform

BLOCK = "/blocks/hello"


@pytest.fixture
def token() -> str:
    """A token in the format of the platform."""
    return FakePlatform(seed=5).issue("hello")


def record(shell: Any, *requests: urllib.request.Request, options: tuple[str, ...] = ()) -> Any:
    """Send requests to `vertexkit capture`; return its output, the recordings and the responses."""
    recorder = shell.start("capture", "--port", "0", *options)
    recorder.wait_for("Recording")
    answers = []
    for request in requests:
        request.full_url = f"http://127.0.0.1:{recorder.port}{request.full_url[8:]}"
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers.append((answer.status, answer.read()))
        recorder.wait_for("saved to")
    recorder.end(signal.SIGINT)
    recordings = [json.loads(path.read_text(encoding="utf-8")) for path in captures(shell.folder)]
    return "\n".join(recorder.lines), recordings, answers


def post(path: str, body: bytes, **headers: str) -> urllib.request.Request:
    headers = {"content-type": "application/json"} | headers
    return urllib.request.Request(f"http://x{path}", body, headers, method="POST")


def test_a_call_is_recorded_completely(shell: Any, token: str) -> None:
    """Method, path, headers and body are recorded; the inputs that vertexkit reads are shown."""
    body = json.dumps({"token": token, "city": "Орёл", "n": 3}, ensure_ascii=False).encode()
    output, [recording], [answer] = record(shell, post(BLOCK, body, **{"x-request": "17"}))
    assert answer == (200, b"{}")
    assert (recording["method"], recording["path"]) == ("POST", BLOCK)
    assert ["x-request", "17"] in recording["headers"]
    kept = json.loads(recording["body"])
    assert {**kept, "token": None} == {"token": None, "city": "Орёл", "n": 3}
    assert recording["reading"]["inputs"] == {"city": "str", "n": "int"}
    assert recording["claims"]["dialog_id"] == "int"
    assert "inputs: city (str), n (int)" in output
    assert "dialog_id (int)" in output


def test_no_secret_is_written_or_printed(shell: Any, token: str) -> None:
    """A token is masked wherever it occurs, and keeps its length and punctuation."""
    places = [
        post(BLOCK, json.dumps({"token": token}).encode()),
        post(f"{BLOCK}?key={token}", b"{}"),
        post(BLOCK, b"{}", authorization=f"Bearer {token}", cookie="session=opensesame"),
        post(BLOCK, json.dumps({"deep": [{"jwt": token}], "password": "opensesame"}).encode()),
        post(BLOCK, f"token={token}&a=1".encode(), **{"content-type": "application/x-www-form"}),
        post(f"{BLOCK}/{token}", b"not json " + token.encode()),
    ]
    output, recordings, _ = record(shell, *places)
    assert len(recordings) == len(places)
    everything = output + json.dumps(recordings)
    for secret in (token, *token.split("."), "opensesame"):
        assert secret not in everything
    masked = json.loads(recordings[0]["body"])["token"]
    assert [len(part) for part in masked.split(".")] == [len(part) for part in token.split(".")]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "body, headers, query",
    [
        ({"payload": {"auth": [{"access_token": "TOKEN"}]}, "x": 1}, {}, ""),
        ({"x": 1}, {"authorization": "Bearer TOKEN"}, ""),
        ({"x": 1}, {}, "?token=TOKEN"),
    ],
    ids=["deep", "header", "query"],
)
def test_a_read_call_is_generated_for_a_rejected_call(
    shell: Any, token: str, body: Any, headers: dict[str, str], query: str
) -> None:
    """The generated function reads the token and the inputs of the recorded call."""
    sent = json.dumps(body).replace("TOKEN", token).encode()
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    query = query.replace("TOKEN", token)
    output, [recording], _ = record(shell, post(f"{BLOCK}{query}", sent, **headers))
    assert "missing_token" in recording["reading"]["rejected"]
    [generated] = (shell.folder / ".vertexkit" / "captures").glob("*.py")
    assert generated.name in output
    assert token not in generated.read_text(encoding="utf-8")
    reader = load(generated)
    call = reader.read_call(RawCall(BLOCK, sent, headers, query.removeprefix("?")))
    assert call.token == token
    assert call.inputs == json.loads(sent)


HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202etxt.exe\x08\x7f"
"""Clears the screen, sets the title, colours, turns the text round, deletes a character."""


def test_nothing_that_a_stranger_sends_controls_the_terminal(shell: Any) -> None:
    """Path, query, headers, a text, JSON and names in them are printed without control characters."""
    escaped = urllib.parse.quote(HOSTILE)
    output, recordings, _ = record(
        shell,
        post(f"/hook/{escaped}?a{escaped}={escaped}", HOSTILE.encode()),
        post(BLOCK, json.dumps({HOSTILE: [HOSTILE]}, ensure_ascii=False).encode()),
        post(BLOCK, b"{}", **{"x-odd": "\x9b31m\x9d0;t"}),
    )
    files = [path.read_text(encoding="utf-8") for path in captures(shell.folder)]
    for text in (output, *files):
        assert not set(text) & (set(HOSTILE) - set("[2J]0;title31mtxt.exe"))
    assert len(recordings) == 3


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_recordings_are_for_this_user_only(shell: Any, token: str) -> None:
    """The folder, the recordings and generated code, with the umask that most systems have."""
    before = os.umask(0o022)
    try:
        record(shell, post(f"{BLOCK}?token={token}", b"{}"))
    finally:
        os.umask(before)
    folder = shell.folder / ".vertexkit"
    for path in (folder, folder / "captures"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "captures").iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("name", ['token"]; import os; x["', "token']#", "token\\", "token\u202e"])
def test_generated_code_contains_names_as_literals(name: str) -> None:
    """A name that a caller has chosen never becomes code, in JSON, the query or a header."""
    value = FakePlatform(seed=5).issue("hello")
    calls = [
        RawCall("/", json.dumps({"a": {name: value}}).encode()),
        RawCall("/", b"{}", {}, urllib.parse.urlencode({name: value}, errors="replace")),
        RawCall("/", b"{}", {name: value}),
    ]
    for raw in calls:
        code = generate_reader(raw, "no token").encode("utf-8", "strict").decode()
        tree = ast.parse(code)
        assert [type(node).__name__ for node in tree.body] == [
            *("Expr", "ImportFrom", "ImportFrom", "FunctionDef"),
        ]
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def captures(folder: Path) -> list[Path]:
    """The recordings by their numbers: the times in their names may go back."""
    found = (folder / ".vertexkit" / "captures").glob("*.json")
    return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]))


def load(path: Path) -> Any:
    """Import a module from a file."""
    spec = importlib.util.spec_from_file_location("reader", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_status_and_body_of_the_response_can_be_chosen(shell: Any) -> None:
    """`--status` and `--body` set the response to every call."""
    options = ("--status", "202", "--body", '{"ok": true}')
    _, _, [answer] = record(shell, post("/any/path", b"{}"), options=options)
    assert answer == (202, b'{"ok": true}')


def test_a_large_body_is_truncated(shell: Any) -> None:
    """At most one megabyte is recorded, and the call is answered."""
    _, [recording], [answer] = record(shell, post(BLOCK, b"x y " * 1_000_000))
    assert answer[0] == 200
    assert len(recording["body"]) <= 1024 * 1024


async def test_recorders_in_one_folder_keep_all_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that run in the same second do not overwrite each other's recordings."""
    monkeypatch.setattr(time, "strftime", lambda *_: "20261126-120000")
    folder = tmp_path / ".vertexkit" / "captures"
    for path in ("/first", "/second"):
        transport = httpx.ASGITransport(CallRecorder(folder, 200, ""))
        async with httpx.AsyncClient(transport=transport, base_url="http://recorder") as client:
            await client.post(path)
    recordings = [json.loads(file.read_text(encoding="utf-8")) for file in captures(tmp_path)]
    assert [recording["path"] for recording in recordings] == ["/first", "/second"]
