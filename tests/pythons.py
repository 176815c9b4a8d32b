"""Where each version of Python is on this machine.

    python3 tests/pythons.py 3.13  prints the path of a Python 3.13; nothing if there is none

Only the standard library is imported, so that `.ci/run` can run this file before it installs.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def interpreter(version: str) -> Path | None:
    """Return a Python of a version that can create environments, or None if there is none.

    Args:
        version: such as `3.13`.
    """
    return next((path for path in _candidates(version) if _creates(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    """Yield the Pythons in PATH, then those that pyenv and uv have installed.

    A shim of pyenv starts nothing if HOME is not that of the user who installed it. The versions
    are in the folder next to the shims, and next to the running interpreter.
    """
    name = f"python{version}"
    if found := shutil.which(name):
        yield Path(found)
    homes = [Path.home() / ".pyenv/versions", Path.home() / ".local/share/uv/python"]
    if root := os.environ.get("PYENV_ROOT"):
        homes.insert(0, Path(root, "versions"))
    searched = map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))
    homes += [folder.parent / "versions" for folder in searched if folder.name == "shims"]
    homes.append(Path(sys.base_prefix).resolve().parent)
    for home in homes:
        for pattern in (f"{version}.*", f"*-{version}.*"):
            yield from sorted(home.glob(f"{pattern}/bin/{name}"), reverse=True)


def _creates(path: Path, version: str) -> bool:
    """Whether a Python can be started, has this version and creates environments."""
    program = "import ensurepip, venv, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


if __name__ == "__main__":
    found = interpreter(sys.argv[1])
    print(found if found is not None else "")
