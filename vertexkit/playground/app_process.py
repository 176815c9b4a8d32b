"""The process that serves the author's app for the playground.

The playground starts a new one after each change of the code. The process reports what happens as
JSON lines on its standard output: `ready`, `broken`, `event`, `log` and `blocked`. It takes commands
as JSON lines on its standard input: see `commands`.
"""

import asyncio
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import uvicorn

from vertexkit.app import App, asgi_app
from vertexkit.asgi import http_app
from vertexkit.errors import VertexkitError
from vertexkit.ingress.openapi import catalogue
from vertexkit.loading import LIBRARY_PATHS, error_location, find_app
from vertexkit.playground.commands import Commands
from vertexkit.playground.observed_app import ObservedApp
from vertexkit.server.listen import bind, local_config
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.telemetry import logs, redaction
from vertexkit.telemetry.events import Event
from vertexkit.testing.contents import content_event, describe_error
from vertexkit.testing.paced_clock import PacedClock

HOST = "127.0.0.1"
STDIN, READ_BYTES = 0, 64 * 1024
SHUTDOWN_SECONDS = 2
"""Time for responses in progress when the process stops."""


class Reporter:
    """Writes reports for the playground.

    Args:
        stream: of the JSON lines.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def report(self, kind: str, **fields: Any) -> None:
        """Write one report."""
        line = json.dumps({"kind": kind, **fields}, ensure_ascii=False, default=str)
        with self._lock:
            self._stream.write(
                redaction.redact_json(line.encode(errors="replace"), {"kind", "at"}) + b"\n"
            )
            self._stream.flush()

    def report_event(self, execution: str, at: float, name: str, fields: dict[str, Any]) -> None:
        """Report an event of an execution, at this real time: the app's clock may be ahead."""
        self.report("event", execution=execution, at=at, name=name, fields=fields)

    def report_broken(self, error: BaseException) -> None:
        """Report that the app cannot be served, with the place in the author's code."""
        cause = error.__cause__ if isinstance(error, VertexkitError) and error.__cause__ else error
        place, source = error_location(cause)
        frames = traceback.extract_tb(cause.__traceback__)
        own = [frame for frame in frames if not frame.filename.startswith(LIBRARY_PATHS)]
        lines = [*traceback.format_list(own), *traceback.format_exception_only(cause)]
        text = "".join(lines).rstrip()
        self.report("broken", error=str(error), place=place, source=source, traceback=text)


class LogStream(io.RawIOBase):
    """The output of the log: reports each of its lines.

    Args:
        reporter: gets the lines.
        now: the time of a line, in seconds.
    """

    def __init__(self, reporter: Reporter, now: Callable[[], float]) -> None:
        super().__init__()
        self._reporter = reporter
        self._now = now

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        for line in bytes(data).splitlines():
            self._reporter.report("log", at=self._now(), line=json.loads(line))
        return len(data)


def main(target: str) -> int:
    """Serve an app until SIGTERM, or until the playground's process has ended.

    Returns:
        The exit code.
    """
    # What the author's code prints goes to the terminal, not among the reports.
    reporter = Reporter(cast(BinaryIO, os.fdopen(os.dup(1), "wb")))
    os.dup2(2, 1)
    commands = Commands()
    threading.Thread(target=_read_commands, args=[commands], daemon=True).start()
    try:
        name, app = find_app(target)
    except VertexkitError as error:
        reporter.report_broken(error)
        return 1
    try:
        asyncio.run(_serve(name, app, reporter, commands))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except Exception as error:  # noqa: BLE001 - an author's lifespan may raise anything
        reporter.report_broken(error)
        return 1
    return 0


async def _serve(name: str, app: App, reporter: Reporter, commands: Commands) -> None:
    # No secrets in URLs: the app listens on the loopback interface only.
    settings = Settings.load(url_secrets=(), host=HOST)
    loop, clock = asyncio.get_running_loop(), PacedClock()
    log_stream = LogStream(reporter, loop.time)
    log_writer = logs.configure("json", settings.logging.level, cast(BinaryIO, log_stream))

    def on_event(event: Event) -> None:
        log_writer.flush()  # keeps the order of log lines and events
        reporter.report_event(event.execution, loop.time(), event.name, event.fields)

    def on_contents(event: Event) -> None:
        on_event(content_event(event, loop.time(), clock.unix()))

    def on_error(execution: str, error: Exception) -> None:
        fields = {"error": describe_error(error)}
        reporter.report_event(execution, loop.time(), "handler_raised", fields)

    observed = ObservedApp(app, on_error)
    with bind(HOST, 0) as listener:
        async with running_service(observed, settings, clock=clock) as service, service.watchdog:
            service.events.subscribe(on_event)
            service.events.subscribe_contents(on_contents)
            asgi_app(app).service = service  # for `app.send_event`
            commands.start(loop, service, observed, clock)
            server = uvicorn.Server(local_config(http_app(service), SHUTDOWN_SECONDS))
            service.failed.add_done_callback(lambda _: setattr(server, "should_exit", True))
            blocks = catalogue(app.blocks)["blocks"]
            reporter.report("ready", port=listener.getsockname()[1], target=name, blocks=blocks)
            await server.serve(sockets=[listener])


def _read_commands(commands: Commands) -> None:
    """Pass commands on, until the parent's end of standard input closes: then stop this process."""
    # Not `sys.stdin`: the interpreter cannot end while a thread holds the lock of its buffer.
    while data := os.read(STDIN, READ_BYTES):
        commands.receive(data)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
