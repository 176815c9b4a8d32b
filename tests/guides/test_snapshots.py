"""docs/testing: its snapshots are what inline-snapshot and syrupy write."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.reader import ROOT
from tests.guides.guide_code import code

pytestmark = pytest.mark.release
FILES = ("parcels.py", "snapshots.py", "test_parcels.py", "test_parcels_in_a_file.py")
PAGE = "testing.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the recipe, in a folder."""
    for name in FILES:
        (tmp_path / name).write_text(code(PAGE, f"# {name}\n"), encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the folder as an author does, outside of CI, where snapshots can be written."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}
    }
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_inline_snapshot_writes_the_snapshot_of_the_page(folder: Path) -> None:
    """From an empty `snapshot()` it writes what the page shows, which then passes."""
    file = folder / "test_parcels.py"
    shown = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"snapshot\(\n.*\n    \)", "snapshot()", shown, flags=re.DOTALL))
    assert "snapshot()" in file.read_text(encoding="utf-8")
    run(folder, file.name, "--inline-snapshot=create,fix")
    written = file.read_text(encoding="utf-8").replace("'", '"')
    assert re.sub(r"[\s,]", "", written) == re.sub(r"[\s,]", "", shown)
    passed = run(folder, file.name)
    assert passed.returncode == 0, passed.stdout + passed.stderr


@pytest.mark.parametrize("name", ["test_parcels.py", "test_parcels_in_a_file.py"])
def test_another_message_differs_from_the_snapshot(folder: Path, name: str) -> None:
    """Each run has other ids and times and passes; a run with another text fails."""
    run(folder, "test_parcels_in_a_file.py", "--snapshot-update")
    passed = run(folder, name)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    app = folder / "parcels.py"
    app.write_text(app.read_text(encoding="utf-8").replace("accepted at", "received at"))
    failed = run(folder, name)
    assert failed.returncode == 1
    assert "It was received at <time>." in failed.stdout
