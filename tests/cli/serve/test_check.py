"""`vertexkit check`: each problem is reported with its fix before the service starts."""

import json
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from tests.reserved_port import reserved_port
from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakePlatform

SECRET = "a-secret-that-cannot-be-guessed"
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


STRICT_EXAMPLES = """
from datetime import datetime
from pydantic import BaseModel, Field
from vertexkit import App, Context

app = App()


class Loan(BaseModel):
    months: int = Field(strict=True, examples=["12"])
    at: datetime = Field(strict=True, examples=["2026-01-01T10:00:00Z"])


@app.block("loan")
async def loan(ctx: Context, request: Loan) -> None: ...
"""


class Platform:
    """Answers every request with 404 and a date, and records them."""

    def __init__(self, clock: float) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._date = formatdate(clock, usegmt=True)
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(4096))
                head = f"HTTP/1.1 404 Not Found\r\ndate: {self._date}\r\ncontent-length: 0\r\n\r\n"
                connection.sendall(head.encode())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # the thread waits in accept
        self._socket.close()


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform(0.0)
    yield platform
    platform.close()


def findings_of(done: Any) -> dict[tuple[str, str], str]:
    """Message and fix of each finding, by level and subject."""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(line["level"], line["subject"]): f"{line['message']} {line['fix']}" for line in lines}


def test_a_correct_app_passes(shell: Any) -> None:
    """Without problems the exit code is 0, and each check has a line."""
    done = shell.run(
        "check", "hello:app", "--offline", "--strict", platform_url="https://demo.bot.one/api"
    )
    assert done.returncode == 0, done.stdout
    for word in ("ok", "hello:app", "https://demo.bot.one/api", "journal.db will be created"):
        assert word in done.stdout
    assert "fail" not in done.stdout
    assert not (shell.folder / ".vertexkit").exists()


def test_the_platform_is_probed(shell: Any, platform: Platform) -> None:
    """One HEAD request is sent; a clock that differs is a warning."""
    done = shell.run("check", "hello:app", "--json", platform_url=platform.url)
    assert done.returncode == 0, done.stdout + done.stderr
    findings = findings_of(done)
    assert "responds in" in findings["ok", "platform"]
    assert "clock differs" in findings["warn", "clock"]
    assert [request.split()[0] for request in platform.requests] == [b"HEAD"]
    strict = shell.run("check", "hello:app", "--strict", platform_url=platform.url)
    assert strict.returncode == 1


def test_an_unreachable_platform_is_a_failure(shell: Any) -> None:
    """A port without a server is reported with what to check."""
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}/api"
        done = shell.run("check", "hello:app", "--json", platform_url=url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "VERTEXKIT_PLATFORM_URL" in findings_of(done)["fail", "platform"]


def test_an_invalid_example_is_reported(shell: Any) -> None:
    """Field(examples=...) is what users of the playground and readers try first."""
    (shell.folder / "loan.py").write_text(EXAMPLES, encoding="utf-8")
    done = shell.run("check", "loan:app", "--offline", "--json")
    assert done.returncode == 1
    findings = findings_of(done)
    assert "amount" in findings["fail", "loan"]
    assert "-5" in findings["fail", "loan"]
    assert "title" in findings["warn", "loan"]


def test_an_example_of_a_strict_field_is_json(shell: Any) -> None:
    """As the inputs are: a text with a time is a valid example of a strict time."""
    (shell.folder / "loan.py").write_text(STRICT_EXAMPLES, encoding="utf-8")
    findings = findings_of(shell.run("check", "loan:app", "--offline", "--json"))
    assert "the example '12' of months" in findings["fail", "loan"]


@pytest.mark.parametrize(
    "settings, level, subject, text",
    [
        ({}, "fail", "settings", "VERTEXKIT_PLATFORM_URL"),
        (
            {"platform_url": "https://demo.bot.one"},
            "warn",
            "settings",
            "the platform's URL usually ends with /api",
        ),
        ({"port": "x"}, "fail", "settings", "VERTEXKIT_PORT"),
        ({"platform_url": "http://demo.bot.one/api"}, "warn", "settings", "https://"),
        ({"log_level": "debug"}, "warn", "settings", "VERTEXKIT_LOG_LEVEL=info"),
        ({"host": "0.0.0.0"}, "fail", "secrets", "VERTEXKIT_URL_SECRETS"),
        ({"host": "0.0.0.0", "allow_anonymous": "1"}, "warn", "secrets", "every client"),
        ({"url_secrets": "short"}, "warn", "secrets", "token_urlsafe"),
        ({"url_secrets": SECRET}, "ok", "secrets", "add the new one"),
        (
            {"allow_from": "10.0.0.0/8"},
            "ok",
            "networks",
            "from 10.0.0.0/8, without a trusted proxy",
        ),
        ({"trusted_proxies": "10.0.0.0/8"}, "warn", "networks", "has no effect without"),
        ({"trusted_proxies": "10.0.0.1,::/0"}, "fail", "networks", "contains every address"),
        ({"journal": "memory:"}, "warn", "journal", "sqlite:"),
        ({"journal": "sqlite:hello.py/journal.db"}, "fail", "journal", "VERTEXKIT_JOURNAL"),
    ],
)
def test_settings_are_checked(
    shell: Any, settings: dict[str, str], level: str, subject: str, text: str
) -> None:
    """Each setting that is wrong or unsafe is reported with its fix; secrets are never printed."""
    done = shell.run("check", "hello:app", "--offline", "--json", **settings)
    assert text in findings_of(done)[level, subject]
    failed = any(level == "fail" for level, _ in findings_of(done))
    assert done.returncode == (1 if failed else 0)
    assert SECRET not in done.stdout


def test_a_journal_that_every_user_may_read_is_a_failure(shell: Any) -> None:
    """It contains tokens: the fix is a command that can be copied."""
    folder = shell.folder / ".vertexkit"
    folder.mkdir(mode=0o700)
    (folder / "journal.db").touch(mode=0o644)
    (folder / "journal.db").chmod(0o644)
    done = shell.run("check", "hello:app", "--offline", "--json")
    assert "chmod o-rwx" in findings_of(done)["fail", "journal"]


def test_an_app_that_cannot_be_loaded_does_not_hide_the_rest(shell: Any) -> None:
    """An error in the author's file is reported, and the settings are checked as well."""
    (shell.folder / "broken.py").write_text("app = App(\n", encoding="utf-8")
    done = shell.run("check", "broken:app", "--offline", "--json", host="0.0.0.0")
    findings = findings_of(done)
    assert "broken.py:1" in findings["fail", "app"]
    assert ("fail", "secrets") in findings


@pytest.mark.parametrize("password, level", [("demo", "ok"), ("guess", "fail"), ("", "fail")])
def test_a_login_is_tried(shell: Any, password: str, level: str) -> None:
    """One request checks the user of `ctx.dialog`; the password is never printed."""
    with served_in_thread(FakePlatform()) as base:
        url = f"{base}/api"
        done = shell.run(
            "check", "hello:app", "--json", platform_url=url, login="demo", password=password
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    [login] = [line for line in lines if line["subject"] == "login"]
    assert login["level"] == level
    assert "guess" not in done.stdout + done.stderr


def test_a_variable_without_effect_and_a_short_secret_are_warned_of(shell: Any) -> None:
    """Each is a warning of its own, which `--strict` makes fail."""
    done = shell.run(
        *("check", "--offline", "--json", "--strict"),
        platform_url="https://demo.bot.one/api",
        port="tcp://10.43.0.1:8000",
        log_levl="debug",
        password="abc",
    )
    assert done.returncode == 1
    assert done.stderr == ""
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    warnings = [finding["message"] for finding in findings if finding["level"] == "warn"]
    assert any("enableServiceLinks: false" in text for text in warnings)
    assert any("Did you mean VERTEXKIT_LOG_LEVEL?" in text for text in warnings)
    assert any("secret in VERTEXKIT_PASSWORD has fewer than 4" in text for text in warnings)
    assert "abc" not in done.stdout
