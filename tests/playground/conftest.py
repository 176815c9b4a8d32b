"""`vertexkit dev`, run as a process of its own, and asked over HTTP."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.conftest import Process, Shell
from tests.cli.conftest import shell as shell


class Dev:
    """A folder with an author's file, and `vertexkit dev` at work in it."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self.folder = shell.folder
        self.process: Process = shell.start(
            "dev", *arguments, "--port", "0", "--no-open", "--typing", "0.05"
        )
        self.process.wait_for("page")
        self.url = f"http://127.0.0.1:{self.process.port}"
        self.process.wait_for("/blocks/")

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urlopen(request, timeout=20) as answer:
                said, status = answer.read(), answer.status
        except HTTPError as error:
            said, status = error.read(), error.code
        try:
            return status, json.loads(said)
        except ValueError:
            return status, said.decode()

    def run(self, block: str, **wanted: Any) -> dict[str, Any]:
        """Run a block, wait for its end, and give its record: `run` and `lines`."""
        status, said = self.ask("/playground/runs", {"block": block, **wanted})
        assert status == 201, said
        return self.ended(said["run"])

    def ended(self, run: str) -> dict[str, Any]:
        """Read what happens until the run is over."""
        with urlopen(f"{self.url}/playground/events", timeout=40) as events:
            for _ in events:  # a line for each thing that happens, the state first
                _, found = self.ask(f"/playground/runs/{run}")
                if found["lines"] and found["lines"][-1]["kind"] == "end":
                    return dict(found)
        raise AssertionError("the playground went away")

    def phase(self, wanted: str) -> dict[str, Any]:
        """Read what happens until the app is in this phase."""
        with urlopen(f"{self.url}/playground/events", timeout=40) as events:
            for line in events:
                if line.startswith(b"data:"):
                    told = json.loads(line[5:])
                    if told["kind"] == "state" and told["phase"] == wanted:
                        return dict(told)
        raise AssertionError("the playground went away")


def messages(record: dict[str, Any]) -> list[str]:
    """What the dialog of a run saw."""
    return [
        line["request"]["text"]
        for line in record["lines"]
        if line["kind"] == "request" and line["method"] == "send_message" and line["processed"]
    ]


@pytest.fixture
def dev(shell: Shell) -> Dev:
    """With the block `hello`."""
    return Dev(shell, "hello:app")
