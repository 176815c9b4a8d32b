"""`vertexkit dev` in a process of its own, and an HTTP client of it."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.cli.shell import Process, Shell
from tests.waiting import PATIENCE_SECONDS


class Dev:
    """A folder with an author's file, and `vertexkit dev` running in it.

    Args:
        shell: Runs the command.
        arguments: Of the command.
        forks: Whether the processes that it starts, which serve the app, are forked from a warm one.
            Such a process is killed a moment later than its stub: a test of the fault `crash` needs
            new ones.
    """

    def __init__(self, shell: Shell, *arguments: str, forks: bool = True) -> None:
        self.folder = shell.folder
        if forks:
            shell.fork_python()
        self.process: Process = shell.start(
            "dev", *arguments, "--port", "0", "--no-open", "--typing", "0.05"
        )
        self.process.wait_for("page")
        self.url = f"http://127.0.0.1:{self.process.port}"
        self.process.wait_for("/blocks/")

    def ask(
        self, path: str, body: Any = None, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Send a request; return status and JSON of the response."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urlopen(request, timeout=PATIENCE_SECONDS) as response:
                content, status = response.read(), response.status
        except HTTPError as error:
            content, status = error.read(), error.code
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content.decode()

    def run(self, block: str, **options: Any) -> dict[str, Any]:
        """Run a block, wait for its end, and return the recording: `run` and `lines`."""
        status, content = self.ask("/playground/runs", {"block": block, **options})
        assert status == 201, content
        return self.ended(content["run"])

    def ended(self, run: str) -> dict[str, Any]:
        """Wait for the end of a run; return the recording."""
        with urlopen(f"{self.url}/playground/events", timeout=PATIENCE_SECONDS) as events:
            for _ in events:  # one line for each message, the state first
                _, found = self.ask(f"/playground/runs/{run}")
                if found["lines"] and found["lines"][-1]["kind"] == "end":
                    return dict(found)
        raise AssertionError("the playground closed the event stream")

    def phase(self, wanted: str) -> dict[str, Any]:
        """Wait until the app is in this phase; return the state."""
        with urlopen(f"{self.url}/playground/events", timeout=PATIENCE_SECONDS) as events:
            for line in events:
                if line.startswith(b"data:"):
                    message = json.loads(line[5:])
                    if message["kind"] == "state" and message["phase"] == wanted:
                        return dict(message)
        raise AssertionError("the playground closed the event stream")


def messages(record: dict[str, Any]) -> list[str]:
    """Return the messages that reached the dialog of a run."""
    return [
        line["request"]["text"]
        for line in record["lines"]
        if line["kind"] == "request" and line["method"] == "send_message" and line["processed"]
    ]
