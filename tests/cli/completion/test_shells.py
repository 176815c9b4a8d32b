"""The scripts of `vertexkit completion`, in the shells that run them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.cli.shell import Shell
from tests.cli.terminal import terminal
from tests.forked_programs import ForkedPrograms
from tests.tools import TOOLS, reason

pytestmark = pytest.mark.unmeasured

BASH_CALL = """
eval "$(vertexkit completion bash)"
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE}
    _vertexkit_completion vertexkit
    (IFS=' '; printf '%s\\n' "${COMPREPLY[*]}")
done
"""


@pytest.fixture
def path() -> Iterator[str]:
    """Folders of programs; the first one contains `vertexkit`."""
    with closing(ForkedPrograms()) as programs:
        yield os.pathsep.join([str(programs.command().parent), os.environ["PATH"]])


def run(shell: Shell, path: str, command: list[str], stdin: str = "") -> list[str]:
    """Run a shell in the author's folder; return the lines that it prints."""
    done = subprocess.run(
        command,
        input=stdin,
        cwd=shell.folder,
        env=shell.environment(PATH=path, HOME=str(shell.folder), VERTEXKIT_JOURNAL="memory:"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.splitlines()


def test_bash_gets_what_it_replaces_the_word_with(shell: Shell, path: str) -> None:
    """Commands, options, apps and blocks; bash replaces only what follows a colon."""
    lines = [
        "vertexkit repl",
        "vertexkit run --wo",
        "vertexkit check hello:",
        "vertexkit trigger h",
    ]
    assert run(shell, path, ["bash", "--norc", "-c", BASH_CALL], "\n".join(lines) + "\n") == [
        "replay",
        "--workers",
        "app",
        "hello hello:app",
    ]


@pytest.mark.skipif(TOOLS["fish"].path is None, reason=reason("fish"))
def test_fish_shows_values_with_their_descriptions(shell: Shell, path: str) -> None:
    """Where there is no candidate, fish completes files."""
    script = (
        "vertexkit completion fish | source; complete -C 'vertexkit repl'; "
        "complete -C 'vertexkit trigger hello:app h'; complete -C 'vertexkit trigger -f hel'"
    )
    command, block, *files = run(shell, path, ["fish", "--no-config", "-c", script])
    assert command.startswith("replay\tRun the current code")
    assert block == "hello\thello.py"
    assert [file.partition("\t")[0] for file in files] == ["hello.py"]


@pytest.mark.parametrize(
    "name, options",
    [
        ("bash", ["--norc", "-i"]),
        pytest.param(
            "zsh",
            ["-f", "-i"],
            marks=pytest.mark.skipif(TOOLS["zsh"].path is None, reason=reason("zsh")),
        ),
    ],
)
def test_tab_completes_the_line_in_a_terminal(
    shell: Shell, path: str, name: str, options: list[str]
) -> None:
    """In a real terminal, TAB writes the rest of a command and of an app with a colon."""
    environment = shell.environment(
        PATH=path, HOME=str(shell.folder), TERM="dumb", PS1="$ ", HISTFILE=""
    )
    with terminal([name, *options], shell.folder, environment) as shown:
        if name == "zsh":
            shown.type("autoload -Uz compinit && compinit -D -u && ")
        shown.type(f'eval "$(vertexkit completion {name})"; echo lo""aded\n')
        shown.wait_for("loaded")
        shown.type("vertexkit chec\t")
        shown.wait_for("vertexkit check ")
        shown.type("hello:\t")
        shown.wait_for("hello:app ")
