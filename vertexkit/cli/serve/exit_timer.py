"""Ends a process that would not end by itself, because a thread or a task never ends."""

import asyncio
import os
import sys
import threading
import time
from contextlib import suppress

import structlog
from structlog.typing import FilteringBoundLogger

POLL_SECONDS = 0.1
REPORT_SECONDS = 1.0
"""How long the exit waits for the log."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class ExitTimer:
    """Exits the process after a number of seconds, from a thread of its own, whatever the log does.

    Python waits at its end for every thread that is not a daemon, and asyncio for every task, also
    for one that ignores its cancellation. Neither can be stopped, so the process is.
    """

    def __init__(self) -> None:
        self._deadline = float("inf")
        self._exit_code = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_deadline = float("inf")
        self._loop_seconds = 0.0
        self._missed_looks = 0
        """Looks at the loop since it ran. They are counted, not seconds: a process that was stopped
        as a whole has missed one."""
        self._thread: threading.Thread | None = None

    def set(self, seconds: float, exit_code: int) -> None:
        """Exit after these seconds, or earlier if an earlier call says so.

        Args:
            seconds: counted from now.
            exit_code: of the process; the last call counts.
        """
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        self._exit_code = exit_code
        self._start()

    def watch_loop(
        self, loop: asyncio.AbstractEventLoop, after: float, blocked_seconds: float
    ) -> None:
        """Exit too if the event loop is blocked: then the process cannot even start to end.

        Args:
            loop: of the process.
            after: seconds from now until the loop is watched.
            blocked_seconds: how long it may be blocked from then on.
        """
        self._loop_seconds = blocked_seconds
        self._loop_deadline = time.monotonic() + after
        self._loop = loop  # last: the thread may already run, and watches from now on
        self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vertexkit-exit", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while time.monotonic() < self._deadline and not self._is_loop_blocked():
            time.sleep(POLL_SECONDS)
        # If the reader of the log has stopped reading, a write never ends, and holds the log's locks.
        report = threading.Thread(target=self._report, name="vertexkit-exit-report", daemon=True)
        report.start()
        report.join(REPORT_SECONDS)
        os._exit(self._exit_code)

    def _report(self) -> None:
        threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
        log.warning("exit_forced", exit_code=self._exit_code, threads=threads)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()

    def _is_loop_blocked(self) -> bool:
        if self._loop is None or time.monotonic() < self._loop_deadline:
            return False
        with suppress(RuntimeError):  # the loop is closed: the process is about to end
            self._loop.call_soon_threadsafe(self._note_loop)
            self._missed_looks += 1
            return self._missed_looks * POLL_SECONDS > self._loop_seconds
        return False

    def _note_loop(self) -> None:
        self._missed_looks = 0
