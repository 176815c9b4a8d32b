"""A virtual environment of any Python that this machine has."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.surroundings import PROXIES

ROOT = Path(__file__).resolve().parents[2]
INSTALL_SECONDS = 500


def interpreter(version: str) -> Path | None:
    """Return the Python of a version, or None if this machine has none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python")]
    for candidate in candidates:
        if candidate is not None:
            command = [candidate, "-c", "import ensurepip, sys; print(sys.version)"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.stdout.startswith(f"{version}."):
                return Path(candidate)
    return None


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def variables(self) -> dict[str, str]:
        """The variables of a shell in which the environment is active."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "LANG"))}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "HOME": str(self.folder), "COLUMNS": "80", "PYTHONUTF8": "1"}
        return kept | PROXIES | own

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
