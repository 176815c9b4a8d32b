"""A virtual environment of any Python that this machine has."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.reader import Reader
from tests.surroundings import PROXIES

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 1800
"""Where many processes share a processor, pip needs ten minutes."""
UV = Path(sys.executable).with_name("uv")
"""Needs a tenth of the processor time of pip, and has a cache of installed packages."""
UV_CACHE = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
"""The cache of `make`: the home folders of the environments are their own."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """The variables of a shell in which the environment is active."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "LANG"))}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder), "COLUMNS": "80", "PYTHONUTF8": "1"}
        own["VIRTUAL_ENV"] = str(self.folder)
        # Half of the time of an installation is the compilation of modules that no test imports.
        installers = {"PIP_NO_COMPILE": "1", "UV_CACHE_DIR": UV_CACHE, "UV_SYSTEM_CERTS": "1"}
        return kept | PROXIES | own | installers

    def install(self, commands: str, folder: Path, *, with_pip: bool = False) -> None:
        """Run lines of a shell that contain `pip install`; they must succeed.

        Args:
            commands: The lines.
            folder: Their working folder.
            with_pip: pip itself is tested. Otherwise uv takes its place where `make` has installed it.
        """
        if UV.exists() and not with_pip:
            commands = commands.replace("pip install", f"{shlex.quote(str(UV))} pip install")
        self.run(commands, folder)

    def run(self, command: Sequence[str | Path] | str, folder: Path) -> str:
        """Run a command, or a line of a shell, and return its output; it must succeed."""
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=folder,
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout


class InstalledCommand:
    """A command of an environment, started as a process of its own."""

    def __init__(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.stdout = self._process.stdout

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def read(self) -> str:
        return self._process.communicate()[0]

    def wait(self) -> int:
        return self._process.wait()

    def close(self) -> None:
        with self._process:
            self._process.kill()


class InstalledReader(Reader):
    """A reader whose commands are those of an environment in which vertexkit is installed."""

    def start(
        self, words: list[str], folder: Path, environment: Mapping[str, str]
    ) -> InstalledCommand:
        return InstalledCommand(words, folder, environment)
