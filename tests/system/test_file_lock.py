"""Locks on files: of POSIX, and of Windows as far as its rules can be imitated."""

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import pytest

from vertexkit.system import file_lock

TryLock = Callable[[BinaryIO], bool]


class FakeMsvcrt(ModuleType):
    """Locks one byte at the position of a descriptor, as `msvcrt.locking` does."""

    LK_NBLCK = 2

    def __init__(self, position_of: Callable[[int], int]) -> None:
        super().__init__("msvcrt")
        self.locked: dict[int, int] = {}
        self._position_of = position_of

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        position = self._position_of(descriptor)
        if position in self.locked.values():
            raise PermissionError(13, "Permission denied")
        self.locked[descriptor] = position


@pytest.fixture
def windows_lock(monkeypatch: pytest.MonkeyPatch) -> TryLock:
    """`try_lock` as it is on Windows."""
    fake = FakeMsvcrt(lambda descriptor: os.lseek(descriptor, 0, os.SEEK_CUR))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "msvcrt", fake)
        patched.setattr(sys, "platform", "win32")
        lock: TryLock = runpy.run_path(str(file_lock.__file__))["try_lock"]
    return lock


def test_a_file_is_locked_once(tmp_path: Path) -> None:
    """The second open file of the same path does not get the lock before the first is closed."""
    path = tmp_path / "a"
    path.touch()
    with path.open("r+b") as first, path.open("r+b") as second:
        assert file_lock.try_lock(first)
        assert not file_lock.try_lock(second)
        first.close()
        assert file_lock.try_lock(second)


def test_windows_locks_a_byte_that_no_file_has(windows_lock: TryLock, tmp_path: Path) -> None:
    """A locked byte cannot be read by others, so it is far behind the end; the position stays."""
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with path.open("r+b") as first, path.open("r+b") as second:
        first.seek(4)
        assert windows_lock(first)
        assert (first.tell(), first.read(2)) == (4, b"45")
        assert not windows_lock(second)
        assert second.read() == b"0123456789"
    assert path.stat().st_size == 10
