"""`vertexkit run` with a PostgreSQL journal: several workers, a server that is down, operators."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.shell import Shell
from tests.postgres_server import PostgresServer, killable_server
from tests.reserved_port import reserved_port
from tests.waiting import PATIENCE_SECONDS, until_outside

pytestmark = pytest.mark.unmeasured


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with killable_server() as server:
        yield server


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a platform for all services."""
    shell = Shell(tmp_path_factory.mktemp("platform"))
    process = shell.start("platform", "--port", "0", "--typing", "0", "--json")
    process.wait_for("-H 'content-type: application/json'")
    yield f"http://127.0.0.1:{process.port}/api"
    shell.close()


class Service:
    """A service with a database of its own."""

    def __init__(self, shell: Shell, server: PostgresServer, platform: str, name: str) -> None:
        server.sql(f"CREATE DATABASE {name}")
        self.shell = shell
        self.url = server.url(name)
        self._platform = platform
        self.process: Any = None

    def serve(self, workers: int, port: int = 0) -> None:
        self.shell.forks_workers = True
        self.process = self.shell.start(
            *("run", "hello:app", f"--port={port}", f"--workers={workers}"),
            platform_url=self._platform,
            journal=self.url,
            app_version="1.2",
            stall="0",  # a process that was frozen for a moment has no other reason to be unready
        )
        for _ in range(workers):
            self.process.wait_for("started")

    def request(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.process.port}{path}", data, headers)
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def call(self, token: str) -> tuple[int, Any]:
        return self.request("/blocks/hello", {"token": token, "name": "Даша"})

    def accept(self, token: str) -> Any:
        """Make a call, again as long as a busy machine delays the database's answer; return it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.call(token))[0] != 200:
            assert answer[1].get("code") == "journal_unavailable", answer
            assert time.monotonic() < end, answer
        return answer[1]

    def executions(self, command: str, *arguments: str) -> list[dict[str, Any]]:
        """Run a command for operators, and return what it prints."""
        done = self.shell.run("executions", command, *arguments, "--json", journal=self.url)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def wait_for_readiness(service: Service, reason: str = "") -> None:
    """Wait until the service is ready; with a reason, until it is not ready for that reason.

    On a busy machine a service may have other reasons for a moment, as a blocked event loop.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, content = service.request("/readyz")
        if status == 503 and reason in content["reasons"] if reason else status == 200:
            return
        assert time.monotonic() < end, content
        time.sleep(0.05)


def test_a_database_that_is_down(shell: Shell, server: PostgresServer, platform: str) -> None:
    """503 within half a second and not ready; ready again without a restart; a call is not lost."""
    service = Service(shell, server, platform, "down")
    service.serve(1)
    service.accept("token-1")
    server.stop(signal.SIGKILL)
    status, answer = service.call("token-2")
    assert (status, answer["code"]) == (503, "journal_unavailable")
    wait_for_readiness(service, reason="journal cannot be written")
    server.start()
    wait_for_readiness(service)
    accepted = service.accept("token-2")
    names = {record["execution"] for record in service.executions("list")}
    assert accepted["execution"] in names
    assert len(names) == 2
    assert service.process.end(signal.SIGTERM) == 0, service.process.lines


def test_workers_open_the_database_themselves(
    shell: Shell, server: PostgresServer, platform: str
) -> None:
    """Each worker is listed, with its version; operators are answered while they run."""
    service = Service(shell, server, platform, "fleet")
    service.serve(2)
    service.accept("token-1")
    until_outside(
        lambda: server.sql("SELECT count(*) FROM vertexkit.workers", database="fleet") == "2",
        "both workers are registered",
    )
    workers = service.executions("workers")
    assert len(workers) == 2
    for worker in workers:
        assert (worker["version"], worker["blocks"]) == ("1.2", ["hello"])
        assert (worker["host"], worker["state"]) == (socket.gethostname(), "running")
    assert len({worker["pid"] for worker in workers}) == 2
    assert service.process.end(signal.SIGTERM) == 0, service.process.lines
    assert not any("background_task_failed" in line for line in service.process.lines)
    assert {worker["state"] for worker in service.executions("workers")} == {"stopped"}


def test_workers_end_with_their_parent(shell: Shell, server: PostgresServer, platform: str) -> None:
    """When the process that has started them is killed, its workers end and free the port."""
    service = Service(shell, server, platform, "orphans")
    with reserved_port() as port:  # no other process may listen there afterwards
        service.serve(2, port)
        with closing(socket.socket()) as client:
            client.connect(("127.0.0.1", port))
        os.kill(service.process.forked.pid, signal.SIGKILL)
        service.process.finish()
        assert any("parent_ended" in line for line in service.process.lines), service.process.lines
        with closing(socket.socket()) as client, pytest.raises(ConnectionRefusedError):
            client.connect(("127.0.0.1", port))


def test_the_password_is_in_no_output(shell: Shell, server: PostgresServer, platform: str) -> None:
    """Neither the log of a service nor `vertexkit check` shows the password of the URL."""
    service = Service(shell, server, platform, "masked")
    service.url = service.url.replace("postgres@", "postgres:a-long-p4ssword@")
    service.serve(1)
    checked = shell.run("check", "hello:app", "--offline", journal=service.url)
    migrated = shell.run("journal", "migrate", journal=service.url)
    assert migrated.returncode == 0, migrated.stderr
    assert "nothing to do" in migrated.stdout
    assert service.process.end(signal.SIGTERM) == 0, service.process.lines
    output = [*service.process.lines, checked.stdout, checked.stderr, migrated.stdout]
    assert any("postgres:***@" in text for text in output)
    assert not [text for text in output if "p4ssword" in text]
