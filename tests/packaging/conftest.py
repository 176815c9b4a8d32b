"""The built wheel and sdist, and a fresh environment of each Python."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.docs.reader import page_ports
from tests.packaging.environment import INSTALL_SECONDS, ROOT, UV, Environment
from tests.pythons import interpreter


@pytest.fixture
def environment(version: str, tmp_path: Path) -> Environment:
    """An empty environment of the Python that the test names as `version`."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    folder = tmp_path / "environment"
    options = ["--without-pip"] if UV.exists() else []
    subprocess.run([python, "-m", "venv", *options, folder], check=True, timeout=INSTALL_SECONDS)
    return Environment(folder)


@pytest.fixture
def free_ports() -> Iterator[dict[str, str]]:
    """A free port for each port that the pages name."""
    with page_ports() as ports:
        yield ports


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the unpacked sdist."""
    folder = tmp_path_factory.mktemp("built")
    done = forked.run(
        "hatchling",
        ["build", "-d", str(folder)],
        folder=ROOT,
        environment=os.environ,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder
