"""`vertexkit platform`: the fake platform for blocks in any language."""

import json
import signal
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

SEND, COMPLETE = "/api/vertex/v1/dialog/send_message", "/api/vertex/v1/complete"


def ask(process: Any, path: str, **body: Any) -> tuple[int, str]:
    """GET a page, or POST JSON."""
    url = f"http://127.0.0.1:{process.port}{path}"
    data = json.dumps(body).encode() if body else None
    try:
        with urlopen(
            Request(url, data, {"Content-Type": "application/json"}), timeout=10
        ) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_each_request_is_printed_with_its_violations(shell: Any) -> None:
    """A line has the status and the content, but no token; after the end, how to get a new token."""
    process = shell.start("platform", "--port", "0", "--typing", "0")
    process.wait_for("-H 'content-type: application/json'")
    token = ask(process, "/token")[1]
    assert ask(process, SEND, token=token, text="Привет", typing=True)[0] == 200
    assert '"Привет"' in process.wait_for("send_message  200")
    assert ask(process, SEND, token=token, text="Привет", typing="true")[0] == 400
    process.wait_for("send_message  400")
    assert "typing" in process.wait_for("typing")
    assert ask(process, COMPLETE, token=token, data={"a": 1})[0] == 204
    assert '{"a": 1}' in process.wait_for("complete      204")
    assert ask(process, SEND, token=token, text="more", typing=False)[0] == 403
    process.wait_for("this activation has ended; GET /token issues a token for a new one")
    assert ask(process, COMPLETE, token="any text opens a dialog here", data=None)[0] == 204
    assert process.end(signal.SIGINT) == 0
    assert token not in "\n".join(process.lines)


def test_an_address_that_cannot_be_used_is_reported(shell: Any) -> None:
    """The error is one line, and the exit code is 2."""
    done = shell.run("platform", "--host", "300.1.1.1")
    assert done.returncode == 2
    assert "cannot listen on 300.1.1.1:9000" in done.stderr


@pytest.mark.parametrize("seed", ["1", "2"])
def test_json_output_has_a_line_for_each_request(shell: Any, seed: str) -> None:
    """A line has method, body without token, status and violations; other text is on stderr."""
    process = shell.start("platform", "--port", "0", "--json", "--seed", seed)
    process.wait_for("-H 'content-type: application/json'")
    ask(process, "/api/nowhere")
    line = json.loads(process.wait_for('"number": 1'))
    assert line["status"] == 404
    assert line["violations"]
    assert process.end(signal.SIGTERM) in {0, -signal.SIGTERM}
