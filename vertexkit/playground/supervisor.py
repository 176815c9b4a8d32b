"""The parent's end of the process that serves the author's app."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

PATIENCE = 4.0
"""Seconds that it gets to end well."""
LONGEST_LINE = 64 * 1024 * 1024

Told = Callable[[dict[str, Any]], object]


class Child:
    """Starts, stops and kills it, and hears what it tells.

    Args:
        target: the app, as `find_app` takes it.
        environment: variables beside this process's own.
        told: called with each line that it tells, and at its end with `{"kind": "ended"}`.
    """

    def __init__(self, target: str, environment: Mapping[str, str], told: Told) -> None:
        self.port = 0
        """Where it serves; 0 while it does not."""
        self._target = target
        self._environment = environment
        self._told = told
        self._process: Process | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """A new process, which loads the author's code anew."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vertexkit.playground.app_process", self._target),
            stdin=PIPE,
            stdout=PIPE,
            env=os.environ | dict(self._environment),
            limit=LONGEST_LINE,
        )
        self._hearing = asyncio.ensure_future(self._hear(self._process))

    def kill(self) -> None:
        """As a power cut would: it gets no chance to say anything."""
        self.port = 0
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End it well, within `PATIENCE`; nothing more is told of it."""
        process, hearing = self._process, self._hearing
        self._process = self._hearing = None
        self.port = 0
        if process is None or hearing is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(PATIENCE):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await hearing

    async def _hear(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was made with a pipe
        async for line in process.stdout:
            with suppress(ValueError):  # a line that the process was killed in
                told = json.loads(line)
                if told["kind"] == "ready" and process is self._process:
                    self.port = told["port"]
                self._told(told)
        code = await process.wait()
        if process is self._process:
            self.port = 0
            self._told({"kind": "ended", "code": code})
