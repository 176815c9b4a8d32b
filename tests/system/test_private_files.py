"""Files that hold what people wrote are for this user only."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vertexkit.cli.dialogs.resume import PartFile
from vertexkit.journal.sqlite.file import open_file
from vertexkit.recordings import RecordingsFolder
from vertexkit.system.private_files import make_private_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """An empty folder, under each umask."""
    before = os.umask(request.param)
    yield tmp_path
    os.umask(before)


def modes(folder: Path) -> set[tuple[str, int]]:
    """What kind and which permissions everything below a folder has."""
    return {
        ("folder" if path.is_dir() else "file", stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.name != ".gitignore"
    }


PRIVATE = {("folder", 0o700), ("file", 0o600)}


def test_recordings_are_private(folder: Path) -> None:
    """The folder, each folder above it that is missing, and each recorded run."""
    recorder = RecordingsFolder(folder / "deep" / ".vertexkit" / "runs").start("hello", 0.0)
    recorder.end(1.0, "completed", "ok")
    assert modes(folder) == PRIVATE


def test_the_journal_is_private(folder: Path) -> None:
    """Its folders and its files, those that SQLite adds included."""
    connection = open_file(folder / "deep" / "dev" / "journal.db")
    try:
        assert modes(folder) == PRIVATE
    finally:
        connection.close()


def test_an_unfinished_export_is_private(folder: Path) -> None:
    """The user did not name FILE.part; the export itself follows the umask."""
    part = folder / "a.csv.part"
    with PartFile(part, {"rows": "dialogs"}, restart=False):
        assert modes(folder) == {("file", 0o600)}


def test_an_existing_folder_keeps_its_permissions(tmp_path: Path) -> None:
    """An operator may have opened it to a group on purpose."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o750)
    make_private_folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o750
    make_private_folder(shared / "runs")
    assert stat.S_IMODE((shared / "runs").stat().st_mode) == 0o700
