"""Where a writer's jobs run: on a thread, one after the other."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

Job: TypeAlias = Callable[[], Any]
Callback: TypeAlias = Callable[[Any, Exception | None], None]
"""Called on the event loop with what a job returned, or with what it raised."""


class JobRunner(Protocol):
    """Runs jobs that wait for the disk, in order, while the event loop continues.

    `JobThread` is the one of every service. The simulation in `tests/chaos` has another one, which
    decides when a job runs, so that its runs can be repeated exactly.
    """

    def put(self, job: Job, callback: Callback) -> None:
        """Run a job after the earlier ones."""

    def stop(self) -> None:
        """End after the jobs that were put before."""


MakeJobRunner: TypeAlias = Callable[[Job, Callable[[], object]], JobRunner]


class JobThread:
    """A daemon thread, so that a process can end while its disk does not respond.

    Args:
        at_end: called on the thread after the last job.
        on_ended: called on the event loop after that.
    """

    def __init__(self, at_end: Job, on_ended: Callable[[], object]) -> None:
        self._at_end = at_end
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Job, Callback] | None] = SimpleQueue()
        thread = threading.Thread(target=self._work, name="vertexkit-journal", daemon=True)
        thread.start()

    def put(self, job: Job, callback: Callback) -> None:
        self._jobs.put((job, callback))

    def stop(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while (queued := self._jobs.get()) is not None:
            job, callback = queued
            value = error = None
            try:
                value = job()
            except Exception as raised:  # noqa: BLE001 - handed to the caller
                error = raised
            try:
                self._loop.call_soon_threadsafe(callback, value, error)
            except RuntimeError:  # the loop is closed
                break
        self._at_end()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._on_ended)
