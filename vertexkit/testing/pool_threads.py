"""Distinguishes the threads of pools that work from those that wait for work."""

import concurrent.futures.thread
import sys

_WORKER = getattr(getattr(concurrent.futures.thread, "_worker", None), "__code__", None)
"""What a thread of a `ThreadPoolExecutor` runs: only this while it waits for work."""


def pool_threads() -> dict[int, bool]:
    """Return whether each thread of a `ThreadPoolExecutor` works, by the thread's identifier.

    If Python names what such a thread runs differently, the threads of pools are not found.
    """
    found: dict[int, bool] = {}
    for identifier, innermost in sys._current_frames().items():  # noqa: SLF001 - it is documented
        frame = innermost
        while frame.f_code is not _WORKER and frame.f_back is not None:
            frame = frame.f_back
        if frame.f_code is _WORKER:
            found[identifier] = frame is not innermost
    return found
