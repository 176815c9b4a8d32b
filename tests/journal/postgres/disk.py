"""A small disk that a test can fill."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

BLOCK_BYTES = 4096


class SmallDisk:
    """A file system in memory.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Use all space that is free."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(BLOCK_BYTES))
            except OSError:
                return

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()


@contextmanager
def small_disk(megabytes: int, owner: dict[str, Any]) -> Iterator[SmallDisk]:
    """Mount a small file system.

    Args:
        megabytes: its size.
        owner: `PostgresServer.as_user()`.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = Path(mkdtemp(prefix="vk-disk-"))
    options = f"size={megabytes}m,mode=700"
    if owner:
        options += f",uid={owner['user']},gid={owner['group']}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
        yield SmallDisk(folder)
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder, ignore_errors=True)
