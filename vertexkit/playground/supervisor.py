"""The process that serves the author's app: how the playground starts, stops and kills it."""

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from vertexkit.telemetry.events import Event

STOP_TIMEOUT_SECONDS = 4.0
"""Time to stop before the process is killed."""
MAX_LINE_BYTES = 64 * 1024 * 1024


class AppObserver(Protocol):
    """Is notified of what happens in the app's process."""

    def on_ready(self, target: str, blocks: list[dict[str, Any]]) -> None:
        """Handle that the app is served: its name, and its blocks as in the catalogue."""

    def on_broken(self, problem: dict[str, Any]) -> None:
        """Handle that the app cannot be served: `error`, `place`, `source` and `traceback`."""

    def on_event(self, event: Event) -> None:
        """Handle an event of an execution."""

    def on_log_line(self, at: float, line: dict[str, Any]) -> None:
        """Handle a line of the log, at this time of the event loop's clock."""

    def on_exit(self, code: int) -> None:
        """Handle that the process has ended by itself or was killed, with this exit code."""


class AppSupervisor:
    """Starts, stops and kills the app's process, and reads its reports.

    The process reports as JSON lines on its standard output: see `app_process`.

    Args:
        target: the app, as `find_app` takes it.
        environment: variables in addition to those of this process.
        observer: notified of what happens.
    """

    def __init__(self, target: str, environment: Mapping[str, str], observer: AppObserver) -> None:
        self.port: int = 0
        """The port on which the app is served; 0 while it is not."""
        self._target = target
        self._environment = environment
        self._observer = observer
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start a new process, which loads the author's current code."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vertexkit.playground.app_process", self._target),
            stdin=PIPE,
            stdout=PIPE,
            env=os.environ | dict(self._environment),
            limit=MAX_LINE_BYTES,
            # Ctrl+C in the terminal is for the playground, which then stops this process.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reading = asyncio.ensure_future(self._read(self._process))

    def send(self, command: str, **fields: Any) -> None:
        """Send a command to the process, if it runs; see `commands`."""
        if self._process is None or self._process.returncode is not None:
            return
        line = json.dumps({"command": command, **fields}).encode() + b"\n"
        if self._process.stdin is not None:
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(line)

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a power failure would."""
        self.port = 0
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """Stop the process, and kill it after `STOP_TIMEOUT_SECONDS`; its exit is not reported."""
        process, reading = self._process, self._reading
        self._process = self._reading = None
        self.port = 0
        if process is None or reading is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await reading

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        async for line in process.stdout:
            with suppress(ValueError):  # a line that a kill has cut off
                self._handle(json.loads(line), is_current=process is self._process)
        code = await process.wait()
        if process is self._process:
            self.port = 0
            self._observer.on_exit(code)

    def _handle(self, report: dict[str, Any], *, is_current: bool) -> None:
        match report["kind"]:
            case "ready":
                if is_current:
                    self.port = report["port"]
                self._observer.on_ready(report["target"], report["blocks"])
            case "broken":
                self._observer.on_broken(report)
            case "event":
                self._observer.on_event(
                    Event(report["name"], report["execution"], report["at"], report["fields"])
                )
            case "log":
                self._observer.on_log_line(report["at"], report["line"])
