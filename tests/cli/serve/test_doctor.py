"""`vertexkit doctor`: the machine is checked, and each problem has the command that fixes it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http_server import served
from tests.reserved_port import reserved_port
from tests.testing.platform_server import served_in_thread
from vertexkit import App
from vertexkit.cli.serve import connection_checks, doctor
from vertexkit.cli.serve.doctor import ASCII_MARKS, UNICODE_MARKS, examine
from vertexkit.cli.serve.findings import Finding, Level, exit_code, show
from vertexkit.cli.serve.probe import ProbeResult
from vertexkit.settings import Settings
from vertexkit.testing import FakePlatform


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An empty folder, a free port, and no other settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VERTEXKIT_")]:
        monkeypatch.delenv(name)
    with reserved_port() as port:
        monkeypatch.setenv("VERTEXKIT_PORT", str(port))
        yield monkeypatch


def findings(*, offline: bool = True) -> dict[str, Finding]:
    """The findings by subject."""
    return {finding.subject: finding for finding in examine(offline=offline)}


def test_a_machine_that_is_ready_has_no_problem(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Python, port, journal, recordings, platform, clock and login are fine; nothing is created."""
    machine.setenv("VERTEXKIT_LOGIN", "demo")
    machine.setenv("VERTEXKIT_PASSWORD", "demo")
    machine.setenv("VERTEXKIT_RECORD", "recordings/today")
    with served_in_thread(FakePlatform()) as url:
        machine.setenv("VERTEXKIT_PLATFORM_URL", f"{url}/api")
        found = findings(offline=False)
    assert {finding.level for finding in found.values()} == {Level.OK}, found
    assert found["python"].message.startswith("Python 3.")
    assert found["port"].message.endswith("of 127.0.0.1 is free")
    assert found["journal"].message == ".vertexkit/journal.db will be created"
    assert found["recordings"].message == "files can be written to recordings/today"
    assert "/api responds in " in found["platform"].message
    assert "demo has access to " in found["login"].message
    assert list(tmp_path.iterdir()) == []
    assert exit_code(found.values(), strict=True) == 0


@pytest.mark.parametrize(
    "ahead, level, message", [(0, Level.OK, "by +0 s"), (3600, Level.WARN, "by -3600 s")]
)
def test_the_clock_is_compared_with_the_platform_s(
    machine: pytest.MonkeyPatch, ahead: float, level: Level, message: str
) -> None:
    """The date of the platform's response is the other clock."""
    machine.setattr(connection_checks, "probe", lambda _: ProbeResult(0.1, clock_skew=0.0 - ahead))
    machine.setenv("VERTEXKIT_PLATFORM_URL", "https://demo.bot.one/api")
    found = findings(offline=False)["clock"]
    assert found.level is level
    assert found.message.endswith(message)
    assert ("sudo timedatectl set-ntp true" in found.fix) == (level is Level.WARN)


def test_a_port_that_another_program_uses_is_a_problem(machine: pytest.MonkeyPatch) -> None:
    """The fix shows the program, and a port that is free."""
    with served_in_thread(FakePlatform()) as url:
        port = int(url.rpartition(":")[2])
        machine.setenv("VERTEXKIT_OPS_PORT", str(port))
        found = findings()["port"]
    assert found.level is Level.FAIL
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in found.message
    assert found.fix.startswith(f"lsof -i :{port} ")
    command, _, free = found.fix.rpartition("=")
    assert command.endswith("export VERTEXKIT_OPS_PORT")
    assert int(free) > port
    assert exit_code([found]) == 1


@pytest.mark.anyio
async def test_a_port_that_the_service_uses_is_none(machine: pytest.MonkeyPatch) -> None:
    """The service is running: its own port is not a problem."""
    app: App[Any] = App(
        settings=Settings.of(journal="memory:", platform_url="https://demo.bot.one/api")
    )

    @app.block("hello", title="Greeting")
    async def hello(ctx: Any) -> None: ...

    async with served(app, lifespan="on") as port:
        machine.setenv("VERTEXKIT_PORT", str(port))
        found = (await asyncio.to_thread(findings))["port"]
    assert (found.level, found.message) == (
        Level.OK,
        f"port {port} is used by the service that runs here",
    )


def test_an_address_of_another_machine_is_a_problem(machine: pytest.MonkeyPatch) -> None:
    """203.0.113.0/24 belongs to no machine; the fix selects an address of this one."""
    machine.setenv("VERTEXKIT_HOST", "203.0.113.9")
    found = findings()["port"]
    assert (found.level, found.fix) == (Level.FAIL, "export VERTEXKIT_HOST=127.0.0.1")


def test_folders_without_room_for_files_are_problems(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file is where the folder of the journal and of the recordings should be."""
    (tmp_path / "taken").write_text("")
    machine.setenv("VERTEXKIT_JOURNAL", "sqlite:taken/journal.db")
    machine.setenv("VERTEXKIT_RECORD", "taken/runs")
    found = findings()
    assert (found["journal"].level, found["recordings"].level) == (Level.FAIL, Level.FAIL)
    assert "taken is not a writable folder" in found["recordings"].message


def test_an_unset_platform_and_wrong_settings_are_reported(machine: pytest.MonkeyPatch) -> None:
    """Blocks can be written without a platform; wrong settings end the examination."""
    found = findings()["platform"]
    assert (found.level, found.fix) == (
        Level.WARN,
        "export VERTEXKIT_PLATFORM_URL=https://NAME.bot.one/api",
    )
    machine.setenv("VERTEXKIT_PORTS", "8000")
    assert "VERTEXKIT_PORTS" in findings()["settings"].message
    machine.setenv("VERTEXKIT_PORT", "many")
    found = findings()["settings"]
    assert found.level is Level.FAIL
    assert "VERTEXKIT_PORT" in found.message


def test_an_old_python_is_a_problem(machine: pytest.MonkeyPatch) -> None:
    """It can be installed there with options that ignore the metadata of the package."""
    machine.setattr(doctor, "MIN_PYTHON", (4, 0))
    found = findings()["python"]
    assert found.level is Level.FAIL
    assert "but vertexkit needs 4.0 or newer" in found.message
    assert found.fix.startswith("python4.0 -m venv .venv && ")


def test_lines_have_marks_that_the_terminal_can_show(
    capsys: pytest.CaptureFixture[str], machine: pytest.MonkeyPatch
) -> None:
    """A check mark, an exclamation mark or a cross, and the fix below the problem."""
    found = [Finding(Level.OK, "a", "fine"), Finding(Level.FAIL, "bc", "wrong", "make it")]
    show(found, as_json=False, marks=UNICODE_MARKS)
    assert capsys.readouterr().out == "  ✓  a   fine\n  ✗  bc  wrong\n         make it\n"
    show(found, as_json=False, marks=ASCII_MARKS)
    assert capsys.readouterr().out.startswith("  ok  a   fine\n  x   bc  wrong\n")
    assert "".join(ASCII_MARKS.values()).isascii()


def test_the_command_ends_with_its_code(shell: Any) -> None:
    """It needs no app, and prints one JSON object for each finding with --json."""
    done = shell.run("doctor", "--offline", "--json", port="0")
    assert done.returncode == 0, done.stderr
    assert '"subject": "python"' in done.stdout
    assert shell.run("doctor", "--offline", port="x").returncode == 1
