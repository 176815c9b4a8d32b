"""The command line: help, version, errors and exit codes."""

from importlib.metadata import version
from typing import Any

import pytest

import vertexkit.cli.main
from tests import forked
from tests.cli.shell import Shell
from vertexkit.errors import SettingsError, VertexkitError


def test_the_help_lists_every_command(shell: Any) -> None:
    """`vertexkit --help` has a line for each."""
    done = shell.run("--help")
    assert done.returncode == 0, done.stderr
    for command in ("run", "trigger", "platform", "health"):
        assert f" {command} " in done.stdout


def test_the_version_is_the_packages(shell: Any) -> None:
    """`vertexkit --version` prints the installed version."""
    assert shell.run("--version").stdout == f"vertexkit {version('vertexkit')}\n"


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "arguments",
    [
        ["rnu"],
        ["run", "--prot", "1"],
        ["run", "--port", "-1"],
        ["new"],
        ["new", "a", "b"],
        ["executions", "shw"],
        ["executions", "list", "--phase", "over"],
        ["dialogs", "show"],
    ],
)
def test_a_wrong_command_line_has_exit_code_2(shell: Any, arguments: list[str]) -> None:
    """The error is printed to standard error with its code, once, and nothing runs."""
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error" in done.stderr
    words = done.stderr.replace("│", "").split()
    assert [word for word in words if word.startswith("[VK-")] == ["[VK-003]"]


@pytest.mark.parametrize("error, code", [(SettingsError("fix it"), 2), (VertexkitError("x"), 1)])
def test_an_error_is_printed_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: VertexkitError,
    code: int,
) -> None:
    """The exit code is 2 for wrong settings and 1 for a failure."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(vertexkit.cli.main, "_command", lambda: fail)
    with pytest.raises(SystemExit) as caught:
        vertexkit.cli.main.main()
    assert caught.value.code == code
    assert capsys.readouterr().err == f"vertexkit: {error} [{error.reference}]\n"


def test_debug_prints_the_traceback(shell: Any) -> None:
    """With --debug the error is printed with its traceback."""
    (shell.folder / "broken.py").write_text("1 / 0\n")
    assert "Traceback" not in shell.run("trigger", "broken:app").stderr
    output = shell.run("trigger", "broken:app", "--debug").stderr
    assert "Traceback" in output
    assert "ZeroDivisionError" in output


@pytest.mark.parametrize(
    "encoding, name, printed",
    [("cp1251", "Аня…", "Привет, Аня…!"), ("ascii", "Anna", "??????, Anna!")],
)
def test_output_is_printed_in_any_encoding(
    shell: Shell, encoding: str, name: str, printed: str
) -> None:
    """Characters that the terminal's encoding lacks are printed as question marks."""
    done = forked.run(
        "vertexkit",
        ["trigger", "hello.py", "-i", f"name={name}", "--fast"],
        folder=shell.folder,
        environment=shell.environment(PYTHONIOENCODING=encoding),
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout


@pytest.mark.unmeasured
@pytest.mark.parametrize("command", ["check", "dev", "run", "trigger"])
def test_each_command_looks_for_the_app_in_the_same_places(shell: Any, command: str) -> None:
    """The app of pyproject.toml is found; without it, the error names what was looked for."""
    (shell.folder / "hello.py").unlink()
    done = shell.run(command)
    assert "no app given, and none found in" in done.stdout + done.stderr
    assert done.returncode == (1 if command == "check" else 2)
    if command == "dev":  # it waits until the app can be imported: develop/test_dev.py
        return
    (shell.folder / "pyproject.toml").write_text('[tool.vertexkit]\napp = "shop_bot:app"\n')
    done = shell.run(command)
    assert "there is no module 'shop_bot'" in done.stdout + done.stderr
