"""The socket of a journal's server."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from vertexkit.journal.shared.socket import (
    MAX_PATH_BYTES,
    _announcement,
    find_socket,
    listening_socket,
    restore_socket,
)


def test_only_a_folder_of_its_own_is_removed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal in a folder of the system's temporary one: folder and other sockets stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / "app"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "other"))
        with listening_socket(folder / "j.db") as (_, path):
            assert path.parent == folder
    assert (folder / "other").is_socket()
    (folder / "other").unlink()
    with listening_socket(folder / "j.db"):
        pass
    assert list(folder.iterdir()) == []
    assert folder.is_dir()


def test_a_temporary_folder_is_removed_with_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the journal's path is too long for a socket, a temporary folder holds it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / ("x" * MAX_PATH_BYTES)
    folder.mkdir()
    with listening_socket(folder / "j.db") as (_, path):
        assert path.parent.parent == tmp_path
        assert path.is_socket()
        assert find_socket(folder / "j.db") == path
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("found", ["a folder of another user", "a link"])
def test_a_folder_of_another_user_holds_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    """A user who makes the temporary folder again, after it was deleted, does not get the journal."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = tmp_path / ("x" * MAX_PATH_BYTES)
    folder.mkdir()
    with listening_socket(folder / "j.db") as (_, path):
        path.unlink()
        again = restore_socket(path, folder / "j.db")
        assert again is not None
        again.close()
        path.unlink()
        path.parent.rmdir()
        if found == "a link":
            path.parent.symlink_to(folder)
        else:
            path.parent.mkdir()
            other = os.getuid() + 1
            monkeypatch.setattr(os, "getuid", lambda: other)
        with pytest.raises(PermissionError, match="belongs to another user"):
            restore_socket(path, folder / "j.db")
        assert not path.exists()


def test_a_socket_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Only what a program has deleted is made again: the announcement, or the socket."""
    file = tmp_path / "j.db"
    with listening_socket(file) as (_, path):
        announcement = _announcement(file)
        before = announcement.stat()
        assert restore_socket(path, file) is None
        after = announcement.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        announcement.unlink()
        assert restore_socket(path, file) is None
        assert find_socket(file) == path
