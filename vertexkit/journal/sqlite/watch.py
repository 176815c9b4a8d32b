"""What happens to the journal's file behind its back: deletion, replacement, loss of its end."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LOG_SUFFIX = "-wal"
"""Ends the name of SQLite's write-ahead log."""
MARK_SUFFIX = ".accepted"
"""Ends the name of the file that has the number of the last acknowledged execution."""
MARK_BYTES = 20
VERIFY_SECONDS = 0.9
"""How often the size of the files is checked."""
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
SALTS = slice(16, 24)
"""Where the header of the log has its salts; those of a frame are eight bytes earlier."""


class FileLost(Exception):
    """The open file is not the one at the journal's path any more, or is shorter than it was."""


class FileWatch:
    """Notices that a journal's file or its log was deleted, replaced, moved or cut off.

    SQLite goes on to write a deleted file, and all of it is lost when the process ends.

    Args:
        path: of the journal's file, which is open.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (str(path), str(path) + LOG_SUFFIX)
        self._verify_at = 0.0
        self._seen: list[os.stat_result | None] = [None, None]
        self.note()

    def verify(self) -> None:
        """Check that the files are the same and no shorter, once a second at most.

        What this process itself has changed since `note` only adds to them.

        Raises:
            FileLost: a file is not the same any more.
        """
        now = time.monotonic()
        if now < self._verify_at:
            return
        self._verify_at = now + VERIFY_SECONDS
        for path, seen, status in self._look():
            if seen is not None and status is not None and status.st_size < seen.st_size:
                raise FileLost(
                    f"{path} was cut off by another program while it was in use: unfinished "
                    "executions may be lost"
                )

    def note(self) -> None:
        """Check that the files are the same, and remember their size, after each change.

        Raises:
            FileLost: a file is not the same any more.
        """
        self._seen = [status for _, _, status in self._look()]

    def _look(self) -> Iterator[tuple[str, os.stat_result | None, os.stat_result | None]]:
        """Yield each path, what was seen of it, and what it is now, if that is the same file."""
        for path, seen in zip(self._paths, self._seen, strict=True):
            status = _stat(path)
            if seen is not None:
                if status is None:
                    raise FileLost(
                        f"{path} was deleted or moved while it was in use: unfinished executions are "
                        "lost unless it is restored"
                    )
                if status.st_ino != seen.st_ino or status.st_dev != seen.st_dev:
                    raise FileLost(
                        f"{path} was replaced by another file while it was in use: unfinished "
                        "executions are lost unless it is restored"
                    )
            yield path, seen, status


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - after each commit; a Path takes three times as long
    except OSError:
        return None


class AcceptedMark:
    """A small file beside the journal with the number of the last acknowledged execution.

    It is written after the commit, without a sync of its own, so it is never ahead of the journal:
    a journal whose last execution has a smaller number has lost some.

    Args:
        path: of the journal's file.
    """

    def __init__(self, path: Path) -> None:
        self._file = -1
        with suppress(OSError):  # the service works without it
            self._file = os.open(_mark(path), os.O_CREAT | os.O_WRONLY, 0o600)

    def write(self, number: int) -> None:
        """Note an acknowledged execution."""
        if self._file >= 0:
            with suppress(OSError):
                os.lseek(self._file, 0, os.SEEK_SET)
                os.write(self._file, b"%0*d" % (MARK_BYTES, number))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_mark(path: Path) -> int:
    """Return the number of the last execution that this journal has acknowledged; 0: unknown."""
    try:
        return int(_mark(path).read_bytes()[:MARK_BYTES])
    except (OSError, ValueError):
        return 0


def remove_mark(path: Path) -> None:
    """Remove the mark of an earlier journal."""
    with suppress(OSError):
        _mark(path).unlink()


def _mark(path: Path) -> Path:
    return path.with_name(path.name + MARK_SUFFIX)


def count_commits(path: Path, page_size: int, after: int) -> int:
    """Count the commits in a journal's write-ahead log after a number of frames.

    SQLite reads the log up to the first damaged frame. What follows is from the same use of the log
    if it has the log's salts.

    Args:
        path: of the journal's file.
        page_size: of the file, in bytes.
        after: frames that SQLite has read.
    """
    commits = 0
    with suppress(OSError), path.with_name(path.name + LOG_SUFFIX).open("rb") as log:
        salts = log.read(WAL_HEADER_BYTES)[SALTS]
        frame = FRAME_HEADER_BYTES + page_size
        log.seek(WAL_HEADER_BYTES + after * frame)
        while len(header := log.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES:
            is_commit = header[4:8] != bytes(4)
            commits += is_commit and header[8:16] == salts
            log.seek(page_size, os.SEEK_CUR)
    return commits
