"""Ends the process of a command that has run handlers, whose threads may not end."""

import atexit
import os
import sys
import threading
import time
from contextlib import suppress
from typing import ClassVar

THREAD_SECONDS = 1.0
"""How long threads that still work may take to end, after the command has ended."""


class Ending:
    """What a command has left behind in this process."""

    runs_handlers: ClassVar[bool] = False
    """Whether the command has run handlers: then it does not wait for their threads."""
    has_left_tasks: ClassVar[bool] = False
    """Whether a task of a handler still runs."""


def end_process(exit_code: int) -> None:
    """Exit without waiting for the threads of handlers, if the command has run handlers.

    Python waits at its end for every thread that is not a daemon, and a thread cannot be stopped. If
    no thread works, this function returns, and the process ends as usual.

    Args:
        exit_code: of the process.
    """
    if not Ending.runs_handlers:
        return
    with suppress(KeyboardInterrupt):  # Ctrl+C ends the wait
        if not _threads_end() or Ending.has_left_tasks:
            _exit(exit_code)
        return
    _exit(exit_code)


def _threads_end() -> bool:
    """Wait until no thread works, at most `THREAD_SECONDS`; return whether that is so."""
    end = time.monotonic() + THREAD_SECONDS
    while working := _working_threads():
        remaining = end - time.monotonic()
        if remaining <= 0:
            return False
        working[0].join(min(remaining, THREAD_SECONDS / 20))
    return True


def _working_threads() -> list[threading.Thread]:
    """Return the threads that Python would wait for, without those of pools that have no work."""
    from vertexkit.testing.pool_threads import pool_threads

    pools = pool_threads()
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon
        and thread is not threading.main_thread()
        and pools.get(thread.ident or 0, True)
    ]


def _exit(exit_code: int) -> None:
    """Do what Python does at its end, except for the wait for threads."""
    with suppress(BaseException):
        atexit._run_exitfuncs()  # noqa: SLF001 - it removes temporary files, and flushes logs
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(exit_code)
