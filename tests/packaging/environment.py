"""A virtual environment of any Python that this machine has."""

import getpass
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.reader import Reader
from tests.surroundings import PROXIES

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 1100
PIP_CACHE = Path(tempfile.gettempdir()) / f"vertexkit-pip-cache-{getpass.getuser()}"
"""Of all environments, whose home folders are their own: a package is downloaded once."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """The variables of a shell in which the environment is active."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "LANG"))}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder), "COLUMNS": "80", "PYTHONUTF8": "1"}
        # Half of the time of an installation is the compilation of modules that no test imports.
        pip = {"PIP_NO_COMPILE": "1", "PIP_CACHE_DIR": str(PIP_CACHE)}
        return kept | PROXIES | own | pip

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

    def close(self) -> None:
        with self._process:
            self._process.kill()


class InstalledReader(Reader):
    """A reader whose commands are those of an environment in which vertexkit is installed."""

    def start(
        self, words: list[str], folder: Path, environment: Mapping[str, str]
    ) -> InstalledCommand:
        return InstalledCommand(words, folder, environment)
