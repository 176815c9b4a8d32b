"""The newest lines of the log, kept in memory for the operators' console."""

import threading
from collections import deque

KEPT_BYTES = 2 * 1024 * 1024
"""Bytes of lines that are kept: those of the last thousands of executions."""


class LogTail:
    """Keeps the newest lines of a log, as they are written: with their secrets masked.

    The lines are kept in the batches in which they are written, so that keeping them costs next to
    nothing; they are searched when an operator asks for those of an execution.

    Args:
        max_bytes: bytes of lines that are kept.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self.max_bytes = max_bytes
        self._batches: deque[bytes] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(self, lines: bytes) -> None:
        """Keep lines, and drop the oldest ones if there are too many.

        Args:
            lines: each with its line break.
        """
        with self._lock:
            self._batches.append(lines)
            self._size += len(lines)
            while self._size > self.max_bytes:
                self._size -= len(self._batches.popleft())

    def find(self, text: str, limit: int) -> list[bytes]:
        """Return the newest lines that contain a text, oldest first.

        Args:
            text: for example the id of an execution.
            limit: maximum number of lines.
        """
        with self._lock:
            batches = [*self._batches]
        searched = text.encode()
        found: list[bytes] = []
        for batch in reversed(batches):
            if searched in batch:
                found += reversed([line for line in batch.splitlines() if searched in line])
            if len(found) >= limit:
                break
        return found[:limit][::-1]
