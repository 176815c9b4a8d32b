"""A lock on an open file, which the operating system releases when the process ends."""

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    FAR_OFFSET = 2**40
    """A byte that no file has: Windows forbids reading the locked one."""

    def try_lock(file: BinaryIO) -> bool:
        """Lock a file for this process; return whether no other process has locked it."""
        position = file.tell()
        file.seek(FAR_OFFSET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(position)
        return True

else:
    import fcntl

    def try_lock(file: BinaryIO) -> bool:
        """Lock a file for this process; return whether no other process has locked it."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
