"""Files and folders that only this user can read, because they hold what people wrote, or tokens."""

import os
from pathlib import Path
from typing import BinaryIO, TextIO

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private_folder(path: Path) -> None:
    """Create a folder and its missing parents for this user only, whatever the umask.

    Args:
        path: The folder. If it exists, its permissions are not changed.

    Raises:
        OSError: The folder cannot be created.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        folder.chmod(FOLDER_MODE)


def create_private_text(path: Path) -> TextIO:
    """Open a UTF-8 file to write, for this user only, whatever the umask.

    Args:
        path: The file. If it exists, it is truncated and made private.

    Raises:
        OSError: The file cannot be created.
    """
    file = open(path, "w", encoding="utf-8", opener=_open)  # noqa: SIM115
    path.chmod(FILE_MODE)
    return file


def create_private_binary(path: Path) -> BinaryIO:
    """Open a file to write and read bytes, as `create_private_text`."""
    file = open(path, "w+b", opener=_open)  # noqa: SIM115
    path.chmod(FILE_MODE)
    return file


def append_private_binary(path: Path) -> BinaryIO:
    """Open a file to read and write bytes, and keep its content; as `create_private_text`."""
    file = open(path, "r+b", opener=_open_or_create)  # noqa: SIM115
    path.chmod(FILE_MODE)
    return file


def _open_or_create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, FILE_MODE)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)
