"""The processes that uvicorn starts for `--workers` and `--reload`, forked from the warm process.

uvicorn starts a new Python for each, which takes a second of processor time. Here they get the same
arguments, environment, folder and streams as there. tests/cli/serve/test_run.py starts new ones.
"""

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import uvicorn._subprocess

from tests import forked, measuring

VARIABLE = "FORKED_WORKERS"
"""In the environment of a forked command: the processes that uvicorn starts for it are forked, too."""


def use() -> None:
    """In a forked command: let uvicorn fork its processes."""
    server = forkserver._forkserver
    # In a forked process it would start another fork server, although it knows the address of this.
    server.ensure_running = resource_tracker.ensure_running  # pyrefly: ignore[method-assign]
    uvicorn._subprocess.spawn = WorkerContext()  # pyrefly: ignore[bad-assignment]


class WorkerContext:
    """Stands in for the context of multiprocessing with which uvicorn makes its processes."""

    def Process(  # noqa: N802 - the name in multiprocessing
        self, *, target: Callable[..., None], kwargs: Mapping[str, Any]
    ) -> ForkServerProcess:
        """A process that has not been started yet."""
        return _Worker(target=_run, kwargs={"target": target, "kwargs": kwargs})


class _Worker(ForkServerProcess):
    """Takes the environment and the streams of the process that starts it."""

    def start(self) -> None:
        streams = Connection(os.dup(0)), Connection(os.dup(1)), Connection(os.dup(2))
        start = forked.Start(
            "vertexkit", tuple(sys.argv[1:]), Path.cwd(), dict(os.environ), streams
        )
        self._kwargs: dict[str, Any]
        self._kwargs["start"] = start
        super().start()
        for stream in streams:
            stream.close()


def _run(start: forked.Start, target: Callable[..., None], kwargs: Mapping[str, Any]) -> None:
    measuring.stop()
    forked.become(start)
    target(**kwargs)
