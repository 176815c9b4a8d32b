"""The socket of the process that has a journal open, and the file that says where it is."""

import json
import os
import socket
import tempfile
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
            _write(_announcement(file), json.dumps({"pid": os.getpid(), "socket": str(path)}))
        yield listener, path
    finally:
        listener.close()
        _remove(path)
        if file is not None:
            _announcement(file).unlink(missing_ok=True)


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


def _announcement(file: Path) -> Path:
    return file.with_name(f"{file.name}.owner")


def _listen(file: Path | None) -> tuple[socket.socket, Path]:
    """Listen next to the file, if the path is short enough and the file system has sockets."""
    if file is not None:
        path = file.absolute().with_name(f"{file.name}.sock")
        if len(os.fsencode(path)) <= MAX_PATH_BYTES:
            with suppress(OSError):
                return _bind(path), path
    path = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX)) / "journal.sock"
    try:
        return _bind(path), path
    except OSError:
        path.parent.rmdir()
        raise


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
