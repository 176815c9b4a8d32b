"""Where the tests find other versions of Python."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests import pythons

SHIM = "#!/bin/sh\nexit 127\n"
PYTHON = "#!/bin/sh\necho {version}\n"


def write(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pyenv whose shims are in PATH, and a HOME without one."""
    folder = tmp_path / "pyenv"
    write(folder / "shims/python9.7", SHIM)
    monkeypatch.setenv("PATH", f"{folder}/shims{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    return folder


def test_a_version_is_found_beside_shims_that_start_nothing(pyenv: Path) -> None:
    """With another HOME, a shim fails, and the version is in the folder beside the shims."""
    assert pythons.interpreter("9.7") is None
    python = write(pyenv / "versions/9.7.2/bin/python9.7", PYTHON.format(version="9.7"))
    assert pythons.interpreter("9.7") == python


def test_a_program_of_another_version_is_not_taken(pyenv: Path) -> None:
    """The program says which version it is; its name is not enough."""
    write(pyenv / "versions/9.7.2/bin/python9.7", PYTHON.format(version="9.8"))
    assert pythons.interpreter("9.7") is None


def test_the_program_in_the_path_comes_first(pyenv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program in PATH that works is taken before those that pyenv has."""
    write(pyenv / "versions/9.7.2/bin/python9.7", PYTHON.format(version="9.7"))
    found = write(pyenv / "shims/python9.7", PYTHON.format(version="9.7"))
    assert pythons.interpreter("9.7") == found


def test_make_uses_the_version_behind_a_shim(pyenv: Path, tmp_path: Path) -> None:
    """`make PYTHON=python9.7` creates the environment with a Python whose shim starts nothing."""
    environment, calls = tmp_path / "environment", tmp_path / "calls"
    environment.mkdir()
    program = f'#!/bin/sh\necho "$@" >>{calls}\necho 9.7\n'
    command = ["make", "PYTHON=python9.7", f"VENV={environment}", str(environment / ".made")]
    folder = Path(pythons.__file__).parent.parent
    run = partial(subprocess.run, command, cwd=folder, capture_output=True, text=True, check=False)
    missing = run()
    assert missing.returncode == 2
    assert "make: cannot run python9.7. Install Python 3.11" in missing.stderr
    write(pyenv / "versions/9.7.2/bin/python9.7", program)
    made = run()
    assert made.returncode == 0, made.stderr
    assert f"-m venv --clear {environment}" in calls.read_text().splitlines()


def test_the_file_prints_the_path() -> None:
    """`.ci/run` runs the file with the standard library alone."""
    command = [sys.executable, "-I", pythons.__file__]
    version = "{}.{}".format(*sys.version_info[:2])
    found = subprocess.run([*command, version], capture_output=True, text=True, check=False)
    assert Path(found.stdout.strip()).is_file(), found.stderr
    nothing = subprocess.run([*command, "9.7"], capture_output=True, text=True, check=False)
    assert (nothing.returncode, nothing.stdout.strip()) == (0, ""), nothing.stderr
