"""What each command does before its own work."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text

from tests.cli.shell import Shell
from vertexkit.cli.command import Command, narrowed
from vertexkit.cli.main import cli


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command, those of groups included."""
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from commands(inner, (*path, name))
        else:
            yield " ".join((*path, name)), inner


WITHOUT_JSON = {
    "run": "serves; VERTEXKIT_LOG_FORMAT=json formats its log",
    "dev": "serves a page",
    "console": "serves a page",
    "chat": "is a dialog with a person",
    "capture": "saves each call as JSON",
    "completion": "prints a script",
    "dialogs export": "writes data to a file; -o - prints JSON lines",
}
"""Commands that print no data, each with the reason."""
READ_PATHS = {"check": {"--against", "--recorded"}}
"""Options for files that a command reads, by command."""

COMMANDS = dict(commands(typer.main.get_command(cli)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_repairs_its_texts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument whose bytes are not UTF-8 has U+FFFD; a path has the bytes that it came with."""
    command = COMMANDS[name]
    assert isinstance(command, Command)
    given: dict[str, Any] = {}
    for parameter in command.params:
        many = parameter.multiple or parameter.nargs == -1
        given[parameter.name] = ["a\udcff", "b"] if many else "a\udcff"
    given["path"] = Path("a\udcff")
    seen: dict[str, Any] = {}
    command.callback = lambda **values: seen.update(values)
    context = typer.Context(command)
    context.params = given
    monkeypatch.setattr("vertexkit.cli.command.WITHOUT_WARNINGS", {command.name})
    command.invoke(context)
    assert seen["path"] == Path("a\udcff")
    texts = {name: value for name, value in seen.items() if name != "path"}
    assert all(value in ("a\ufffd", ["a\ufffd", "b"]) for value in texts.values())


def test_a_command_is_read_without_the_others() -> None:
    """The options of a command that the command line names are read, and those of no other."""
    for name, command in COMMANDS.items():
        root = typer.main.get_command(narrowed(cli, [*name.split(), "--help"]))
        [(found, read)] = commands(root)
        assert (found, read.help) == (name, command.help)
        assert options_of(read).keys() == options_of(command).keys()


@pytest.mark.parametrize(
    "words, prefix",
    [
        ("", ""),
        ("--help", ""),
        ("exec", ""),
        ("--version run", ""),
        ("executions", "executions "),
        ("executions lst", "executions "),
    ],
)
def test_a_group_is_read_with_all_of_its_commands(words: str, prefix: str) -> None:
    """Its help lists them, and an error suggests the one that is meant."""
    command = typer.main.get_command(narrowed(cli, words.split()))
    read = [name for name, _ in commands(command)]
    assert read == [name for name in COMMANDS if name.startswith(prefix)]


def options_of(command: Any) -> dict[str, Any]:
    """The options and arguments of a command, by each of their names."""
    return {name: parameter for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_JSON.keys()))
def test_every_command_that_prints_data_prints_json(name: str) -> None:
    """A program reads the output of each command in the same way."""
    assert "--json" in options_of(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_printed_whole(name: str) -> None:
    """No part of a help text is taken for a tag such as [bold], and left out."""
    command = COMMANDS[name]
    for text in (command.help, *(parameter.help for parameter in command.params)):
        assert Text.from_markup(text or "").plain == (text or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_has_one_name(name: str) -> None:
    """A command that writes a file or a folder takes it as --output or -o."""
    paths = {
        option
        for option, parameter in options_of(COMMANDS[name]).items()
        if "Path" in str(parameter.type_descriptor.annotation) and option.startswith("-")
    }
    assert not paths - {"-f", "--file", "-o", "--output"} - READ_PATHS.get(name, set())
    assert ("-o" in paths) == ("--output" in paths)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "arguments",
    [
        [b"trigger", b"hello:app", b"-i", b"name=\xc0\xed\xff", b"--fast"],
        [b"trigger", b"hello:app", b"--file", b"in.json", b"--fast", b"--json"],
        [b"trigger", b"hello:app", b"\xff"],
        [b"trigger", b"\xff:app"],
        [b"executions", b"list", b"--block", b"\xff"],
        [b"executions", b"show", b"\xff"],
        [b"replay", b"\xff"],
        [b"new", b"\xff"],
    ],
    ids=lambda arguments: b" ".join(arguments).decode(errors="replace"),
)
def test_bytes_that_are_not_utf8_are_no_traceback(shell: Shell, arguments: list[bytes]) -> None:
    """As arguments, and as halves of characters in a file."""
    (shell.folder / "in.json").write_text(r'{"name": "cut \ud83d", "times": 1}')
    done = shell.run(*map(os.fsdecode, arguments), journal="memory:")
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert "Error:" not in output or done.returncode
    if arguments[0] == b"trigger" and len(arguments) > 3:
        assert done.returncode == 0, output
        assert "\ufffd" in output


@pytest.mark.parametrize("command", ["check", "trigger", "run", "executions"])
def test_a_misspelt_setting_is_warned_of(shell: Shell, command: str) -> None:
    """Each command that uses settings names the variable and the one that was meant."""
    arguments = {
        "check": ["check", "--offline"],
        "trigger": ["trigger", "-i", "name=x", "--fast"],
        "run": ["run"],
        "executions": ["executions", "list"],
    }[command]
    done = shell.run(*arguments, platfrom_url="https://demo.bot.one/api", journal="memory:")
    output = done.stdout + done.stderr
    assert output.count("VERTEXKIT_PLATFROM_URL in the environment is not a setting") == 1
    assert "Did you mean VERTEXKIT_PLATFORM_URL?" in output
