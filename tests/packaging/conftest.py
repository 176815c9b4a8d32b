"""The built wheel and sdist, and a fresh environment of each Python."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder
