"""A reader that saves the files of a page of the manual, runs its commands and compares outputs."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from tests import forked
from tests.reserved_port import reserved_port

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"# ([\w/]+\.py)\n")
SERVERS = ("vertexkit run", "vertexkit platform", "vertexkit dev")
DEFAULT_PORTS = {" platform": "9000", " dev": "8765"}
"""Port on which each of these commands listens by default."""
FORKED = ("vertexkit ", "pytest ", "python ")
"""Commands whose processes are forked from a warm one."""
SHELL_SYNTAX = set("|&;<>$`*?~\\\n")
"""Characters of commands that only a shell understands."""
VOLATILE = [
    (re.compile(r"\d{8}-\d{6}-\d{3}-\w+-[0-9a-f]{4}|(?<=test_hello_)\d{14}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d(?=\.\"{3})"), "DAY"),
    (re.compile(r"\d+\.\d+ ?s\b(?: \(\d+:\d\d:\d\d\))?"), "SECONDS"),
    (re.compile(r'"[0-9a-f]{22}"'), "EXECUTION"),
    (re.compile(r"\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"(?<=[04]  )[0-9a-f]{8}(?=  )"), "TOKEN"),
]
"""Patterns of what differs from run to run, each with the word that replaces it."""


def normalised(text: str) -> str:
    """Replace what differs from run to run."""
    for pattern, word in VOLATILE:
        text = pattern.sub(word, text)
    return text


@dataclass(frozen=True)
class Fence:
    """A fenced block of code."""

    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Commands of a console block, each with the output lines shown below it."""
        commands: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif commands:
                commands[-1][1].append(line)
        return commands


def fences(page: Path) -> list[Fence]:
    """Return the fenced blocks of a page, in order."""
    return [Fence(*groups) for groups in FENCE.findall(page.read_text(encoding="utf-8"))]


@contextmanager
def page_ports() -> Iterator[dict[str, str]]:
    """Reserve a free port for each port that the pages name."""
    with reserved_port() as one, reserved_port() as other, reserved_port() as third:
        yield {"8000": str(one), "9000": str(other), "8765": str(third)}


class Process(Protocol):
    """A started command; its output is read line by line, or to its end."""

    @property
    def stdout(self) -> IO[str] | None:
        """The rest of its output."""

    def send_signal(self, number: int) -> None:
        """Send a signal."""

    def read(self) -> str:
        """Read the output until it ends."""

    def wait(self) -> int:
        """Wait until it ends; return the exit code."""

    def close(self) -> None:
        """Kill it."""


def _own_variables() -> dict[str, str]:
    """Return the variables of a shell with the environment of the tests."""
    inherited = {name: value for name, value in os.environ.items() if "VERTEXKIT" not in name}
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": " ".join(
            (
                os.environ["PYTEST_ADDOPTS"],
                forked.PYTEST_OPTION,
                "-p no:asyncio -p no:cacheprovider",
            )
        ),
    }


class Reader:
    """Follow a page in a folder: save its files, run its commands.

    Args:
        folder: where the files are saved.
        ports: a free port for each port that the pages name.
        variables: the environment of the commands; None: that of the tests.
    """

    def __init__(
        self, folder: Path, ports: dict[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._ports = ports
        self._environment = {
            **(_own_variables() if variables is None else variables),
            "VERTEXKIT_LOG_FORMAT": "console",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "80",
            "TZ": "UTC",
        }
        self.servers: list[Process] = []

    def follow(self, page: Path) -> None:
        """Save every file of a page, run every command and compare the output with the page.

        A `text` block is the output of the server that was started first.
        """
        for fence in fences(page):
            self._save(fence)
            if fence.language == "console":
                for command, shown in fence.commands:
                    self._run(command, shown)
                    if command.startswith("vertexkit dev"):
                        self._close()
            elif fence.language == "text":
                lines = normalised(fence.text).splitlines()
                assert [line for line in map(normalised, self._close()) if line in lines] == lines

    def _save(self, fence: Fence) -> None:
        """Write a file that the page shows."""
        name = FILE_NAME.match(fence.text)
        if fence.language == "python" and name is not None:
            (self.folder / name[1]).write_text(fence.text, encoding="utf-8")

    def _run(self, command: str, shown: list[str]) -> None:
        """Run a command and compare its output with the page."""
        command, *shown = map(self._with_free_ports, (command, *shown))
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._environment[name] = value
        elif command.startswith(SERVERS):
            self._serve(command, shown)
        else:
            printed = self.run_in(self.folder, command).splitlines()
            assert [normalised(line.rstrip()) for line in printed] == [
                normalised(line) for line in shown
            ]

    def _with_free_ports(self, text: str) -> str:
        """Replace the ports that a page names, all at once: a free port may contain another one."""
        return re.sub("|".join(self._ports), lambda found: self._ports[found[0]], text)

    def run_in(self, folder: Path, command: str) -> str:
        """Run a command in a folder and return its output, errors included."""
        first, _, second = command.partition(" && ")
        if first.startswith(FORKED) and SHELL_SYNTAX.isdisjoint(first):
            process = self.start(shlex.split(first), folder, self._environment)
            try:
                output = process.read()
                succeeded = process.wait() == 0
            finally:
                process.close()
            return output + (self.run_in(folder, second) if second and succeeded else "")
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=100,
            check=False,
        ).stdout

    def start(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> Process:
        """Start `vertexkit`, `pytest` or a Python file with arguments."""
        if words[0] == "python":
            words = [words[1].removesuffix(".py"), *words[2:]]
        return forked.start(words[0], words[1:], folder=folder, environment=environment)

    def _serve(self, command: str, shown: list[str]) -> None:
        port = next((port for word, port in DEFAULT_PORTS.items() if word in command), "")
        options = f"--port {self._ports[port]}" if port else ""
        options += " --no-open" if "dev" in command else ""
        server = self.start(
            shlex.split(f"{command} {options}"),
            self.folder,
            self._environment | {"VERTEXKIT_PORT": self._ports["8000"]},
        )
        self.servers.append(server)
        assert server.stdout is not None
        printed = [server.stdout.readline().rstrip() for _ in shown]
        assert list(map(normalised, printed)) == list(map(normalised, shown))

    def _close(self) -> list[str]:
        """Stop the servers and return the remaining output of the one that was started first."""
        lines: list[str] = []
        for server in reversed(self.servers):
            server.send_signal(signal.SIGINT)
            lines = server.read().splitlines()
            server.close()
        self.servers.clear()
        return lines
