"""Measures vertexkit's own share of an execution: without sockets, in one process.

    python benchmarks/in_process.py --batches 20
    python benchmarks/in_process.py --encryption

Calls enter through ASGI, and the platform answers at the loop's next turn. Prints for each journal
the processor time of one execution in µs, the least and the median of all batches. The least is the
figure to compare: everything that disturbs a run makes it slower. With `--profile` it prints the
functions that take the most time; with `--counts`, as JSON, what an execution does: function calls,
tasks, log lines and SQL statements. These do not depend on the machine. `shared` is the SQLite
journal as workers use it, over the socket of its server, which runs in the same event loop: both ends
are counted. With `--encryption` it measures the SQLite journal with and without keys, in turns, and
prints the ratio.
"""

import argparse
import asyncio
import base64
import cProfile
import io
import itertools
import json
import os
import pstats
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from operator import truediv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import uvloop
from hello import app

from vertexkit import App
from vertexkit.asgi import http_app
from vertexkit.botone.response import Response
from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.server import JournalServer
from vertexkit.journal.shared.socket import listening_socket
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.service import Service, running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.system.garbage_collector import tune_garbage_collector
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry import logs

CALLERS = 32
POLL_SECONDS = 0.001
"""Between two looks at whether a batch has ended. Without a pause, the turns of the event loop while
the disk works would be counted as work of the executions: the slower the disk, the more."""
EXECUTIONS = 320
"""In each batch."""
WARM_UP_BATCHES = 4
ROUNDS = 3
"""Of each journal, if the cost of encryption is measured."""
CLAIMS = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0"
SHARED = "shared "
"""Before the URL of a journal that is used over its server's socket."""
SENT = Response(200, b'{"message_id":123,"created_at":1669947527}')
COMPLETED = Response(204)


class InstantWire:
    """A platform that answers at the loop's next turn."""

    def __init__(self) -> None:
        self.completions = 0

    async def post(self, url: str, _: bytes, __: float) -> Response:
        await asyncio.sleep(0)
        if not url.endswith("complete"):
            return SENT
        self.completions += 1
        return COMPLETED

    async def close(self) -> None:
        """There is nothing to close."""


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 1),
        "client": ("127.0.0.1", 2),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/blocks/hello",
        "raw_path": b"/blocks/hello",
        "query_string": b"",
        "headers": [(b"host", b"a"), (b"content-type", b"application/json")],
        "state": {},
    }


async def call(served: Any, body: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise SystemExit(f"the response to a call was {message['status']}")

    await served(scope(), receive, send)


async def batch(
    served: Any, service: Service, bodies: Iterator[bytes], executions: int = EXECUTIONS
) -> float:
    """Run a batch; return the µs of processor time of one execution."""
    share = executions // CALLERS

    async def caller() -> None:
        for _ in range(share):
            await call(served, next(bodies))

    started = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    while service.dispatcher.held or service.journal.backlog():  # noqa: ASYNC110 - no event of its own
        await asyncio.sleep(POLL_SECONDS)
    return (time.process_time() - started) / (share * CALLERS) * 1e6


async def count(served: Any, service: Service, bodies: Iterator[bytes]) -> dict[str, float]:
    """Run a batch; return how often an execution does what costs time."""
    counts: Counter[str] = Counter()
    write = Writer.write

    def make_task(loop: Any, coroutine: Any, **options: Any) -> Any:
        counts["tasks"] += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    def count_statement(*arguments: Any, **options: Any) -> Any:
        counts["statements"] += 1
        return write(*arguments, **options)

    asyncio.get_running_loop().set_task_factory(make_task)
    profiler = cProfile.Profile()
    with patch.object(Writer, "write", count_statement):
        profiler.enable()
        await batch(served, service, bodies)
        profiler.disable()
    asyncio.get_running_loop().set_task_factory(None)
    counts["calls"] = sum(entry.callcount for entry in profiler.getstats())
    counts["tasks"] -= CALLERS
    return {name: number / EXECUTIONS for name, number in counts.items()}


def calls(**inputs: Any) -> Iterator[bytes]:
    """Yield the bodies of calls with these inputs, each with another token."""
    for number in itertools.count(1):
        yield json.dumps({"token": f"{CLAIMS}.{number}", **inputs}).encode()


@asynccontextmanager
async def serving(app: App, journal: str, keys: str = "") -> AsyncIterator[Service]:
    """Run a service with the instant platform."""
    os.environ["VERTEXKIT_JOURNAL"] = journal.removeprefix(SHARED)
    os.environ["VERTEXKIT_JOURNAL_KEYS"] = keys
    os.environ["VERTEXKIT_PLATFORM_URL"] = "http://127.0.0.1:1/api"
    settings = Settings.load()
    async with AsyncExitStack() as stack:
        client = None
        if journal.startswith(SHARED):
            client = JournalClient(await stack.enter_async_context(shared(settings.journal)))
        yield await stack.enter_async_context(
            running_service(app, settings, wire=InstantWire(), journal=client)
        )


@asynccontextmanager
async def shared(settings: JournalSettings) -> AsyncIterator[Path]:
    """Offer a journal at a socket, as the process that starts several workers does."""
    journal, supervisor = make_journal(settings, Clock()), Supervisor(sys.exit)
    server = JournalServer(journal, supervisor)
    await journal.open(server)
    with listening_socket(journal.file) as (listener, path):
        await server.listen(listener, path)
        yield path
        await server.close()
    await journal.close()


async def measure(journal: str, options: argparse.Namespace, keys: str = "") -> list[float]:
    """Measure with one journal; with `--counts`, print the counts."""
    stream = io.BytesIO()
    writer = logs.configure("json", "info", stream)
    bodies = calls(name="Dasha")
    async with serving(app, journal, keys) as service:
        served = http_app(service)
        for _ in range(WARM_UP_BATCHES):
            await batch(served, service, bodies)
        tune_garbage_collector()
        if options.counts:
            writer.flush()
            stream.truncate(0)
            counts = await count(served, service, bodies)
            writer.flush()
            counts["log lines"] = stream.getvalue().count(b"\n") / EXECUTIONS
            print(json.dumps({"journal": re.split("[ :]", journal)[0], **counts}))
            return []
        if options.profile:
            profiler = cProfile.Profile()
            profiler.enable()
            await batch(served, service, bodies)
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(60)
        return [await batch(served, service, bodies) for _ in range(options.batches)]


def measure_encryption(options: argparse.Namespace) -> None:
    """Measure the SQLite journal without keys and with one, in turns, and print the ratio."""
    key = base64.b64encode(os.urandom(32)).decode()
    least: dict[str, list[float]] = {"": [], key: []}
    for _ in range(ROUNDS):
        for keys, figures in least.items():
            with TemporaryDirectory() as folder:
                url = f"sqlite:{folder}/journal.db"
                figures.append(min(uvloop.run(measure(url, options, keys))))
    plain, encrypted = map(min, least.values())
    ratio = statistics.median(map(truediv, least[key], least[""]))
    print(f"plain {plain:.0f} µs, encrypted {encrypted:.0f} µs, median ratio {ratio:.2f}")


def main() -> None:
    """Measure with each journal and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--journal", choices=["memory", "sqlite", "shared"])
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--encryption", action="store_true")
    options = parser.parse_args()
    if options.encryption:
        measure_encryption(options)
        return
    if not options.counts:
        print("journal    least µs   median µs")
    with TemporaryDirectory() as folder:
        file = f"sqlite:{folder}/journal.db"
        for name, url in {"memory": "memory:", "sqlite": file, "shared": SHARED + file}.items():
            if options.journal in (None, name):
                done = uvloop.run(measure(url, options))
                if not done:
                    continue
                print(f"{name:<8}{min(done):>11.0f}{statistics.median(done):>12.0f}")


if __name__ == "__main__":
    main()
