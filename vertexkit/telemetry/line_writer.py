"""Writes the lines of the log, several in one write."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import BinaryIO

from vertexkit.telemetry.log_tail import LogTail
from vertexkit.telemetry.redaction import redact

FLUSH_DELAY_SECONDS = 0.05
"""Time that a line below WARNING may wait, to be written together with others."""


class LineWriter:
    """Writes lines to a binary stream, several in one write.

    A write costs more than making a line. Lines from WARNING on are written immediately, and so is
    every line if no event loop runs. `flush` writes the rest at the end of the process.

    Args:
        stream: receives the lines.
        immediate: write every line immediately, for a terminal.
        mask: masks the secrets of a line.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        immediate: bool = False,
        mask: Callable[[bytes], bytes] = redact,
    ) -> None:
        self._mask = mask
        self._stream = stream
        self._immediate = immediate
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self.tail: LogTail | None = None
        """Keeps the lines that are written, too."""
        self._timer_loop: asyncio.AbstractEventLoop | None = None
        """The event loop that will call `flush`."""

    def write(self, line: bytes) -> None:
        """Write a line within `FLUSH_DELAY_SECONDS`.

        Args:
            line: without its line break.
        """
        self._lines.append(self._mask(line))
        if self._immediate:
            self.flush()
            return
        if self._timer_loop is not None and not self._timer_loop.is_closed():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._timer_loop = loop
        loop.call_later(FLUSH_DELAY_SECONDS, self.flush)

    def write_now(self, line: bytes) -> None:
        """Write a line, and those that wait, before returning.

        Args:
            line: without its line break.
        """
        self._lines.append(self._mask(line))
        self.flush()

    def flush(self) -> None:
        """Write the lines that wait. Lines that cannot be written are dropped without an error."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._timer_loop = None
            number = len(self._lines)  # other threads may add to the list meanwhile
            if number:
                lines = self._lines[:number]
                del self._lines[:number]
                data = b"\n".join(lines) + b"\n"
                if self.tail is not None:
                    self.tail.add(data)
                self._stream.write(data)
                self._stream.flush()
