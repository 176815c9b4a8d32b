"""The process that serves an author's app for the playground, which starts a new one at each change.

It tells what happens as lines of JSON on its standard output.
"""

import asyncio
import io
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any, BinaryIO, cast

import uvicorn

from vertexkit.app import App
from vertexkit.cli.serve.run import bind, for_this_machine
from vertexkit.errors import VertexkitError
from vertexkit.ingress.openapi import catalogue
from vertexkit.loading import LIBRARY_PATHS, error_location, find_app
from vertexkit.settings import Settings
from vertexkit.telemetry import logs, redaction
from vertexkit.telemetry.events import Event

HOST = "127.0.0.1"
LAST_ANSWERS = 2


class Teller:
    """Writes lines to the parent."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def tell(self, kind: str, **facts: Any) -> None:
        """One line."""
        line = json.dumps({"kind": kind, **facts}, ensure_ascii=False, default=str)
        with self._lock:
            self._stream.write(redaction.redact(line.encode(errors="replace")) + b"\n")
            self._stream.flush()

    def event(self, event: Event) -> None:
        """Something happened to an execution."""
        self.tell(
            "event", execution=event.execution, at=event.at, name=event.name, fields=event.fields
        )


class LogLines(io.RawIOBase):
    """Where the log is written: each of its lines goes to the parent."""

    def __init__(self, teller: Teller, now: Any) -> None:
        super().__init__()
        self._teller = teller
        self._now = now

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        for line in bytes(data).splitlines():
            self._teller.tell("log", at=self._now(), line=json.loads(line))
        return len(data)


def main(target: str) -> int:
    """Serve until SIGTERM, or until the parent is gone; gives the exit code."""
    # What the author prints goes to the terminal, and never among the lines to the parent.
    teller = Teller(cast(BinaryIO, os.fdopen(os.dup(1), "wb")))
    os.dup2(2, 1)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        name, app = find_app(target)
    except VertexkitError as error:
        _broken(teller, error)
        return 1
    try:
        asyncio.run(_serve(name, app, teller))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except Exception as error:  # noqa: BLE001 - an author's lifespan raises what it likes
        _broken(teller, error)
        return 1
    return 0


async def _serve(name: str, app: App, teller: Teller) -> None:
    # The playground has no use for secrets of the URL: nobody else reaches this machine's loopback.
    settings = Settings.load(url_secrets=(), host=HOST)
    clock = asyncio.get_running_loop()
    writer = logs.configure(
        "json", settings.logging.level, cast(BinaryIO, LogLines(teller, clock.time))
    )

    def tell(event: Event) -> None:
        writer.flush()  # what was logged before it comes before it
        teller.event(event)

    with bind(HOST, 0) as listener:
        async with app.started(settings) as service:
            service.events.subscribe(tell)
            server = uvicorn.Server(for_this_machine(app.face(service), LAST_ANSWERS))
            teller.tell(
                "ready",
                port=listener.getsockname()[1],
                target=name,
                blocks=catalogue(app.blocks)["blocks"],
            )
            await server.serve(sockets=[listener])


def _broken(teller: Teller, error: BaseException) -> None:
    """Say what is wrong, and where in the author's code."""
    cause = error.__cause__ if isinstance(error, VertexkitError) and error.__cause__ else error
    where, source = error_location(cause)
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARY_PATHS)]
    lines = [*traceback.format_list(own), *traceback.format_exception_only(cause)]
    teller.tell(
        "broken", error=str(error), place=where, source=source, traceback="".join(lines).rstrip()
    )


def _follow_parent() -> None:
    """End with the parent, whichever way it ended: the other end of standard input closes then."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
