"""The command line as a whole: help, version, errors, exit codes."""

import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

import vertexkit.cli.main
from vertexkit.errors import SettingsError, VertexkitError


def test_the_help_names_every_command_and_loads_none(shell: Any) -> None:
    """`vertexkit --help` is read by people who wait: nothing that serves is imported for it."""
    done = shell.run("--help")
    assert done.returncode == 0
    for command in ("run", "trigger", "platform", "health"):
        assert f" {command} " in done.stdout
    code = (
        "import sys; sys.argv = ['vertexkit', '--help']\n"
        "from vertexkit.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *{'aiohttp', 'uvicorn', 'starlette', 'pydantic_settings'} & {*sys.modules})"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    ).stdout
    assert said.splitlines()[-1].strip() == "loaded:"


def test_the_version_is_the_packages(shell: Any) -> None:
    """`vertexkit --version` says the installed version."""
    assert shell.run("--version").stdout == f"vertexkit {version('vertexkit')}\n"


@pytest.mark.parametrize("arguments", [["rnu"], ["run", "--prot", "1"], ["run", "--port", "-1"]])
def test_a_wrong_command_line_is_exit_code_2(shell: Any, arguments: list[str]) -> None:
    """What is not understood is told on standard error, and nothing is run."""
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error" in done.stderr


@pytest.mark.parametrize("error, code", [(SettingsError("mend"), 2), (VertexkitError("x"), 1)])
def test_an_error_is_a_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: VertexkitError,
    code: int,
) -> None:
    """No traceback for what vertexkit explains itself: 2 if it was asked wrongly, 1 if it failed."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(vertexkit.cli.main, "cli", fail)
    with pytest.raises(SystemExit) as caught:
        vertexkit.cli.main.main()
    assert caught.value.code == code
    assert capsys.readouterr().err == f"vertexkit: {error}\n"


def test_debug_shows_where_an_error_comes_from(shell: Any) -> None:
    """With --debug a sentence is preceded by its traceback."""
    (shell.folder / "broken.py").write_text("1 / 0\n")
    assert "Traceback" not in shell.run("trigger", "broken:app").stderr
    said = shell.run("trigger", "broken:app", "--debug").stderr
    assert "Traceback" in said
    assert "ZeroDivisionError" in said


def test_a_terminal_of_another_alphabet_is_no_error(shell: Any) -> None:
    """Output that the terminal cannot show is shown with question marks, not with a crash."""
    done = subprocess.run(
        [sys.executable, "-m", "vertexkit", "trigger", "hello.py", "-i", "name=Аня…"],
        cwd=shell.folder,
        capture_output=True,
        env=shell.environment(PYTHONIOENCODING="cp1251", PYTHONUTF8="0"),
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("cp1251")
    assert "Привет, Аня…!" in done.stdout.decode("cp1251")
    done = subprocess.run(
        [sys.executable, "-m", "vertexkit", "trigger", "hello.py", "-i", "name=Anna", "--fast"],
        cwd=shell.folder,
        capture_output=True,
        env=shell.environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0"),
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"??????, Anna!" in done.stdout
