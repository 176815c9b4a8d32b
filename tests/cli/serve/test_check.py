"""`vertexkit check`: what is wrong is told before it hurts, each thing with its mend."""

import json
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakePlatform

SECRET = "a-secret-that-nobody-will-guess-soon"
EXAMPLES = """
from pydantic import BaseModel, Field
from vertexkit import App, Context

app = App()


class Loan(BaseModel):
    amount: int = Field(gt=0, examples=[100, -5])
    months: int = Field(12, ge=1, title="Months", examples=[12])


@app.block("loan")
async def loan(ctx: Context, request: Loan) -> None: ...
"""


class Platform:
    """Answers every request with 404 and a date, and counts them."""

    def __init__(self, clock: float) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._date = formatdate(clock, usegmt=True)
        self.asked: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096))
                head = f"HTTP/1.1 404 Not Found\r\ndate: {self._date}\r\ncontent-length: 0\r\n\r\n"
                connection.sendall(head.encode())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform(0.0)
    yield platform
    platform.close()


def told(done: Any) -> dict[tuple[str, str], str]:
    """By level and what it is about: what was found, and the mend."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["level"], line["about"]): f"{line['found']} {line['mend']}" for line in lines}


def test_a_sound_app_passes(shell: Any) -> None:
    """Nothing is wrong: exit code 0, a line for each thing that was looked at, none of them red."""
    done = shell.run(
        "check", "hello:app", "--offline", "--strict", platform_url="https://demo.bot.one/api"
    )
    assert done.returncode == 0, done.stdout
    for word in ("ok", "hello:app", "https://demo.bot.one/api", "journal.db will be made"):
        assert word in done.stdout
    assert "fail" not in done.stdout
    assert not (shell.folder / ".vertexkit").exists()


def test_what_the_platform_says_of_itself_is_told(shell: Any, platform: Platform) -> None:
    """It is asked for a head and nothing more; a clock that is off is a warning."""
    done = shell.run("check", "hello:app", "--json", platform_url=platform.url)
    assert done.returncode == 0
    findings = told(done)
    assert "answers in" in findings["ok", "platform"]
    assert "clock" in findings["warn", "platform"]
    assert [asked.split()[0] for asked in platform.asked] == [b"HEAD"]
    strict = shell.run("check", "hello:app", "--strict", platform_url=platform.url)
    assert strict.returncode == 1


def test_a_platform_that_is_not_there_is_a_failure(shell: Any) -> None:
    """An address where nobody listens is told with what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = shell.run("check", "hello:app", "--json", platform_url=f"http://127.0.0.1:{port}/api")
    assert done.returncode == 1
    assert "VERTEXKIT_PLATFORM_URL" in told(done)["fail", "platform"]


def test_an_example_that_its_own_block_refuses_is_found(shell: Any) -> None:
    """Field(examples=...) is what a playground and a reader will try first."""
    (shell.folder / "loan.py").write_text(EXAMPLES, encoding="utf-8")
    done = shell.run("check", "loan:app", "--offline", "--json")
    assert done.returncode == 1
    findings = told(done)
    assert "amount" in findings["fail", "loan"]
    assert "-5" in findings["fail", "loan"]
    assert "title" in findings["warn", "loan"]


@pytest.mark.parametrize(
    "settings, level, about, said",
    [
        ({}, "fail", "settings", "VERTEXKIT_PLATFORM_URL"),
        ({"port": "x"}, "fail", "settings", "VERTEXKIT_PORT"),
        ({"platform_url": "http://demo.bot.one/api"}, "warn", "settings", "https://"),
        ({"log_level": "debug"}, "warn", "settings", "VERTEXKIT_LOG_LEVEL=info"),
        ({"host": "0.0.0.0"}, "fail", "secrets", "VERTEXKIT_URL_SECRETS"),
        ({"host": "0.0.0.0", "allow_anonymous": "1"}, "warn", "secrets", "everybody"),
        ({"url_secrets": "short"}, "warn", "secrets", "token_urlsafe"),
        ({"url_secrets": SECRET}, "ok", "secrets", "add the new one"),
        ({"allow_from": "10.0.0.0/8"}, "ok", "networks", "from 10.0.0.0/8, with no proxy"),
        ({"trusted_proxies": "10.0.0.0/8"}, "warn", "networks", "does nothing without"),
        ({"trusted_proxies": "10.0.0.1,::/0"}, "fail", "networks", "holds every address"),
        ({"journal": "memory:"}, "warn", "journal", "sqlite:"),
        ({"journal": "sqlite:hello.py/journal.db"}, "fail", "journal", "VERTEXKIT_JOURNAL"),
    ],
)
def test_settings_are_looked_at(
    shell: Any, settings: dict[str, str], level: str, about: str, said: str
) -> None:
    """Each thing that does not fit, or is not safe, is named with its mend; secrets never are."""
    done = shell.run("check", "hello:app", "--offline", "--json", **settings)
    assert said in told(done)[level, about]
    failed = any(level == "fail" for level, _ in told(done))
    assert done.returncode == (1 if failed else 0)
    assert SECRET not in done.stdout


def test_a_journal_that_everybody_may_read_is_refused(shell: Any) -> None:
    """It holds tokens: the mend is a command that can be copied."""
    folder = shell.folder / ".vertexkit"
    folder.mkdir(mode=0o700)
    (folder / "journal.db").touch(mode=0o644)
    (folder / "journal.db").chmod(0o644)
    done = shell.run("check", "hello:app", "--offline", "--json")
    assert "chmod o-rwx" in told(done)["fail", "journal"]


def test_an_app_that_cannot_be_loaded_does_not_hide_the_rest(shell: Any) -> None:
    """A mistake in the author's file is told, and the settings are looked at all the same."""
    (shell.folder / "broken.py").write_text("app = App(\n", encoding="utf-8")
    done = shell.run("check", "broken:app", "--offline", "--json", host="0.0.0.0")
    findings = told(done)
    assert "broken.py:1" in findings["fail", "app"]
    assert ("fail", "secrets") in findings


@pytest.mark.parametrize("password, level", [("demo", "ok"), ("guess", "fail"), ("", "fail")])
def test_a_login_is_tried(shell: Any, password: str, level: str) -> None:
    """The user of `ctx.dialog` is asked for at the platform: one request, and no password shown."""
    with served_in_thread(FakePlatform()) as base:
        url = f"{base}/api"
        done = shell.run(
            "check", "hello:app", "--json", platform_url=url, login="demo", password=password
        )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    [login] = [each for each in found if each["about"] == "login"]
    assert login["level"] == level
    assert "guess" not in done.stdout + done.stderr
