"""Pages of the documentation, read as what they promise: files, commands, and their output."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.py)\n")
LINK = re.compile(r"\]\(([^)]+)\)")
TEXTS = re.compile(r"#.*|f?\"[^\"]*\"")
SERVERS = ("vertexkit run", "vertexkit platform", "vertexkit dev")
PORTS = {" platform": "9000", " dev": "8765"}
"""Where these listen, unless they are told."""
CHANGING = [
    (re.compile(r"\d{8}-\d{6}-\d{3}-\w+-[0-9a-f]{4}|(?<=test_hello_)\d{14}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d(?=\.\"{3})"), "DAY"),
    (re.compile(r"\d+\.\d+ ?s\b"), "SECONDS"),
    (re.compile(r'"[0-9a-f]{22}"'), "EXECUTION"),
    (re.compile(r"\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"(?<=[04]  )[0-9a-f]{8}(?=  )"), "TOKEN"),
]
"""What differs from run to run."""


def same(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


@dataclass(frozen=True)
class Fence:
    """A block of code of a page."""

    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Of a console: each command with the lines that it is shown to print."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def fences(page: Path) -> list[Fence]:
    """The blocks of code of a page, in their order."""
    return [Fence(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


class Reader:
    """Does in a folder what a page says, command by command."""

    def __init__(self, folder: Path, ports: dict[str, str]) -> None:
        self.folder = folder
        self._ports = ports
        kept = {name: value for name, value in os.environ.items() if "VERTEXKIT" not in name}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = kept | {
            "PATH": path,
            "VERTEXKIT_LOG_FORMAT": "console",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "80",
            "TZ": "UTC",
            "PYTEST_ADDOPTS": f"{os.environ['PYTEST_ADDOPTS']} -p no:asyncio -p no:cacheprovider",
        }
        self.servers: list[subprocess.Popen[str]] = []

    def follow(self, page: Path) -> None:
        """Save every file of a page, run every command, and compare what is printed.

        A `text` is what the first server has printed meanwhile.
        """
        for fence in fences(page):
            self._save(fence)
            if fence.language == "console":
                for command, shown in fence.commands:
                    self._do(command, shown)
                    if command.startswith("vertexkit dev"):
                        self._close()
            elif fence.language == "text":
                lines = same(fence.text).splitlines()
                assert [line for line in map(same, self._close()) if line in lines] == lines

    def _save(self, fence: Fence) -> None:
        """Write a file that the page shows."""
        named = FILE.match(fence.text)
        if fence.language == "python" and named is not None:
            (self.folder / named[1]).write_text(fence.text, encoding="utf-8")

    def _do(self, command: str, shown: list[str]) -> None:
        """Run a command, and compare with what the page shows of its output."""
        for port, own in self._ports.items():
            command = command.replace(port, own)
            shown = [line.replace(port, own) for line in shown]
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._environment[name] = value
        elif command.startswith(SERVERS):
            self._serve(command, shown)
        else:
            printed = self.run_in(self.folder, command).splitlines()
            assert [same(line.rstrip()) for line in printed] == [same(line) for line in shown]

    def run_in(self, folder: Path, command: str) -> str:
        """Run a command in a folder; gives all that it prints."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=50,
            check=False,
        ).stdout

    def _serve(self, command: str, shown: list[str]) -> None:
        port = next((port for word, port in PORTS.items() if word in command), "")
        options = f"--port {self._ports[port]}" if port else ""
        options += " --no-open" if "dev" in command else ""
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command} {options}"],
            cwd=self.folder,
            env=self._environment | {"VERTEXKIT_PORT": self._ports["8000"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.servers.append(server)
        assert server.stdout is not None
        for line in shown:
            assert same(server.stdout.readline().rstrip()) == same(line)

    def _close(self) -> list[str]:
        """End the servers; gives all that the first one has printed since."""
        said: list[str] = []
        for server in reversed(self.servers):
            server.send_signal(signal.SIGINT)
            said = server.communicate(timeout=30)[0].splitlines()
        self.servers.clear()
        return said


@pytest.fixture
def reader(tmp_path: Path, free_ports: dict[str, str]) -> Iterator[Reader]:
    """Somebody who does what a page says, in an empty folder."""
    if shutil.which("curl") is None:
        pytest.skip("the pages call with curl, which is not here")
    reader = Reader(tmp_path, free_ports)
    yield reader
    for server in reader.servers:
        server.kill()
        server.communicate()


class Pages:
    """What can be asked of a page without doing what it says."""

    def skeleton(self, page: Path) -> list[str]:
        """What a translation keeps: code without its texts, commands, settings, and links."""
        kept = []
        for fence in fences(page):
            if fence.language == "python":
                kept += [re.sub(TEXTS, "", line).rstrip() for line in fence.text.splitlines()]
            for command, shown in fence.commands:
                kept.append(f"{command.split()[:2]} {len(shown)}")
        text = page.read_text(encoding="utf-8").replace(".ru.md", ".md")
        kept += sorted(set(re.findall(r"`(VERTEXKIT_\w+|ctx\.\w+|@?app\.\w+)", text)))
        return kept + sorted({link for link in LINK.findall(text) if link != "README.md"})

    def dead_links(self, page: Path) -> list[str]:
        """Links to files that are not there."""
        links = LINK.findall(page.read_text(encoding="utf-8"))
        files = [link.partition("#")[0] for link in links if "://" not in link]
        return [each for each in files if each and not (page.parent / each).exists()]


@pytest.fixture
def pages() -> Pages:
    """Questions about pages."""
    return Pages()


@pytest.fixture
def free_ports() -> dict[str, str]:
    """For each port that the pages name, one that is free here."""
    found: dict[str, str] = {}
    with socket.socket() as one, socket.socket() as other, socket.socket() as third:
        for named, taken in (("8000", one), ("9000", other), ("8765", third)):
            taken.bind(("127.0.0.1", 0))
            found[named] = str(taken.getsockname()[1])
    return found
