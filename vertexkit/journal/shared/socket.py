"""The socket of the process that has a journal open, and the file that says where it is."""

import json
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HAS_SOCKETS = hasattr(socket, "AF_UNIX")
"""This system has Unix sockets."""
MAX_PATH_BYTES = 100
"""Longest path of a socket: systems allow 104 or 108 bytes, with a zero at the end."""
TEMPORARY_PREFIX = "vertexkit-"
"""Prefix of a temporary folder for a socket."""
SOCKET_NAME = "journal.sock"
"""Name of a socket in a temporary folder."""
STARTING_SECONDS = 60.0
"""Age of a temporary folder from which its process listens, if it still runs."""


@contextmanager
def listening_socket(file: Path | None) -> Iterator[tuple[socket.socket, Path]]:
    """A context with a listening socket for the owner of a journal's file, and its path.

    Only this user can connect to it. What a killed owner has left is removed: the caller has the
    file open, so no other process has.

    Args:
        file: the journal's, next to which the socket is announced; None: it has none, and only a
            process that knows the path can connect.

    Raises:
        OSError: the socket cannot be opened.
    """
    if file is not None and (old := find_socket(file)) is not None:
        _remove(old)
    listener, path = _listen(file)
    try:
        if file is not None:
            _announce(file, path)
        yield listener, path
    finally:
        listener.close()
        _remove(path)
        if file is not None:
            _announcement(file).unlink(missing_ok=True)


def restore_socket(path: Path, file: Path | None) -> socket.socket | None:
    """Listen again if the file of a socket was deleted, as by a program that cleans a folder.

    Args:
        path: of the socket.
        file: the journal's, next to which the socket is announced.

    Returns:
        The new listener; None if the socket is still there.

    Raises:
        OSError: the socket cannot be opened.
    """
    if file is not None and not _announcement(file).exists():
        _announce(file, path)
    if path.is_socket():
        return None
    if path.parent.name.startswith(TEMPORARY_PREFIX):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        owner = path.parent.lstat()
        if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
            raise PermissionError(f"{path.parent} belongs to another user")
    return _bind(path)


def find_socket(file: Path) -> Path | None:
    """Return where the owner of this file listens, or listened when it was killed."""
    try:
        return Path(_read_announcement(file)["socket"])
    except (KeyError, TypeError):
        return None


def find_owner(file: Path) -> int | None:
    """Return the id of the process that has announced its socket next to this file."""
    pid = _read_announcement(file).get("pid")
    return pid if isinstance(pid, int) else None


def _read_announcement(file: Path) -> dict[str, Any]:
    try:
        announced = json.loads(_announcement(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return announced if isinstance(announced, dict) else {}


def _announce(file: Path, socket_path: Path) -> None:
    """Write which process listens where."""
    _write(_announcement(file), json.dumps({"pid": os.getpid(), "socket": str(socket_path)}))


def _announcement(file: Path) -> Path:
    return file.with_name(f"{file.name}.owner")


def _listen(file: Path | None) -> tuple[socket.socket, Path]:
    """Listen next to the file, if the path is short enough and the file system has sockets."""
    if file is not None:
        path = file.absolute().with_name(f"{file.name}.sock")
        if len(os.fsencode(path)) <= MAX_PATH_BYTES:
            with suppress(OSError):
                return _bind(path), path
    _remove_stale_folders()
    path = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX)) / SOCKET_NAME
    try:
        return _bind(path), path
    except OSError:
        path.parent.rmdir()
        raise


def _remove_stale_folders() -> None:
    """Remove the temporary folders of this user's processes that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{TEMPORARY_PREFIX}*/{SOCKET_NAME}"):
        with suppress(OSError):
            folder = path.parent.lstat()
            age = time.time() - folder.st_mtime
            if folder.st_uid == os.getuid() and age > STARTING_SECONDS and not _is_answered(path):
                _remove(path)


def _is_answered(path: Path) -> bool:
    """Return whether a process listens at a socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _bind(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # before it listens: until then no process can connect
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        path.unlink(missing_ok=True)
        raise
    return listener


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that no process reads half of it."""
    part = path.with_name(f"{path.name}.new")
    part.unlink(missing_ok=True)
    part.touch(0o600, exist_ok=False)
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _remove(path: Path) -> None:
    """Remove a socket, and the temporary folder that was made for it."""
    with suppress(OSError):
        if path.is_socket():
            path.unlink()
        folder = path.parent
        if folder.name.startswith(TEMPORARY_PREFIX) and folder.parent == Path(
            tempfile.gettempdir()
        ):
            for left in folder.iterdir():
                if left.is_socket():  # of the same owner's metrics
                    left.unlink()
            folder.rmdir()  # only if it is empty
