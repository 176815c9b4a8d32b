"""docs/public-url.md: what nginx on the small server passes on to the tunnel."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.docs.reader import fences
from tests.http_connection import HttpConnection, HttpResponse
from tests.ingress.served_app import head, served
from tests.reserved_port import reserved_port
from tests.tools import TOOLS, reason
from tests.waiting import until_outside

DOCS = Path(__file__).parents[2] / "docs"
TUNNEL = "127.0.0.1:8000"
"""The end of the tunnel in the example."""

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(TOOLS["nginx"].path is None, reason=reason("nginx")),
]


def example(page: str) -> str:
    """The configuration of nginx on a page."""
    [fence] = [fence for fence in fences(DOCS / page) if fence.language == "nginx"]
    assert TUNNEL in fence.text
    return fence.text


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


class Nginx:
    """nginx with a server that has the example in it.

    Args:
        folder: for its files.
        port: on which it listens.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._pid = folder / "pid"
        self._started = False

    def start(self, locations: str) -> None:
        """Start it; the command returns when it listens."""
        folders = "".join(
            f"{module}_temp_path {self._folder}/{module};\n"
            for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self._folder / "nginx.conf").write_text(
            f"master_process off;\npid {self._pid};\nevents {{}}\nhttp {{\n{folders}access_log off;\n"
            f"server {{\nlisten 127.0.0.1:{self.port};\n{locations}}}\n}}\n",
            encoding="utf-8",
        )
        subprocess.run(
            [
                *(str(TOOLS["nginx"].path), "-p", self._folder),
                *("-c", self._folder / "nginx.conf", "-e", self._folder / "errors.log"),
            ],
            check=True,
            timeout=60,
        )
        self._started = True

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._started:
            process = until_outside(self._read_pid, "nginx has written its process id")
            os.kill(process, SIGTERM)
            until_outside(lambda: not self._pid.exists(), "nginx has ended")

    def _read_pid(self) -> int:
        """Return the process id; 0 until it is written."""
        text = self._pid.read_text(encoding="ascii") if self._pid.exists() else ""
        return int(text) if text.endswith("\n") else 0

    async def ask(self, method: str, path: str, body: bytes = b"") -> HttpResponse:
        """Send a request."""
        line = HttpConnection(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            await line.send(head(path, method=method, content_length=str(len(body))) + body)
            return await line.answer()
        finally:
            await line.hang_up()


@pytest.fixture
def nginx(tmp_path: Path, port: int) -> Iterator[Nginx]:
    nginx = Nginx(tmp_path, port)
    yield nginx
    nginx.stop()


def test_both_languages_have_the_same_example() -> None:
    """What is run here is what each page says."""
    assert example("public-url.md") == example("public-url.ru.md")


async def test_calls_and_events_pass_and_nothing_else(nginx: Nginx) -> None:
    """A call is executed; the pages of the service are not reachable from outside."""
    async with served() as edge:
        tunnel = f"127.0.0.1:{edge.port}"
        nginx.start(example("public-url.md").replace(TUNNEL, tunnel))
        token = edge.platform.issue("echo")
        body = f'{{"token": "{token}", "name": "Ada"}}'.encode()
        assert (await nginx.ask("POST", "/blocks/echo", body)).status == 200
        assert await edge.completed(token) == {"inputs": {"name": "Ada"}}
        assert (await nginx.ask("GET", "/blocks/echo")).rejection == (405, "method_not_allowed")
        event = await nginx.ask("POST", "/events/unknown/paid/signature", b"{}")
        assert event.headers["content-type"] == "application/problem+json"
        for path in ("/", "/healthz", "/metrics", "/openapi.json", "/blocks", "/console/"):
            answer = await nginx.ask("GET", path)
            assert (answer.status, b"nginx" in answer.body) == (404, True), path
