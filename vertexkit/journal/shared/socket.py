"""Where the owner of a journal's file can be reached: a socket, and a file that says so."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HAS_SOCKETS = hasattr(socket, "AF_UNIX")
"""Does this system have sockets that are files?"""
LONGEST = 100
"""Bytes of a socket's path: systems allow 104 or 108, with the zero at its end."""
FOLDER = "vertexkit-"
"""How the name of a temporary folder for a socket begins."""


@contextmanager
def offering(file: Path | None) -> Iterator[tuple[socket.socket, Path]]:
    """A socket for the owner of this file, and its path; taken away at the end.

    It is for this user alone, like the file. What an owner that was killed has left is taken away
    too: whoever has the file knows that nobody else has.

    Args:
        file: the journal's; None: it has none, and only who is told the path can find it.

    Raises:
        OSError: this machine has no place for a socket.
    """
    if file is not None:
        _clean(file)
    listener, path = _listen(file)
    try:
        if file is not None:
            _write(_note(file), json.dumps({"pid": os.getpid(), "socket": str(path)}))
        yield listener, path
    finally:
        listener.close()
        _remove(path)
        if file is not None:
            _note(file).unlink(missing_ok=True)


def find_socket(file: Path) -> Path | None:
    """Where the owner of this file listens, or did when it was killed; None: there is none."""
    try:
        return Path(json.loads(_note(file).read_text(encoding="utf-8"))["socket"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note(file: Path) -> Path:
    return file.with_name(f"{file.name}.owner")


def _listen(file: Path | None) -> tuple[socket.socket, Path]:
    """Beside the file, if the path is short enough and the file system has sockets."""
    if file is not None:
        path = file.absolute().with_name(f"{file.name}.sock")
        if len(os.fsencode(path)) <= LONGEST:
            with suppress(OSError):
                return _bind(path), path
    path = Path(tempfile.mkdtemp(prefix=FOLDER)) / "journal.sock"
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
        path.chmod(0o600)  # before it listens: until then nobody can connect
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        path.unlink(missing_ok=True)
        raise
    return listener


def _write(note: Path, text: str) -> None:
    """In one step: nobody reads half of it."""
    part = note.with_name(f"{note.name}.new")
    part.unlink(missing_ok=True)
    part.touch(0o600, exist_ok=False)
    part.write_text(text, encoding="utf-8")
    part.replace(note)


def _clean(file: Path) -> None:
    old = find_socket(file)
    if old is not None:
        _remove(old)


def _remove(path: Path) -> None:
    """A socket, and the folder that was made for it."""
    with suppress(OSError):
        if path.is_socket():
            path.unlink()
        if path.parent.name.startswith(FOLDER):
            path.parent.rmdir()  # only if it is empty
