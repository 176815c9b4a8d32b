"""Measures the processor time of an execution, as a ratio to that of a minimal service.

    python benchmarks/executions.py --connections 32
    python benchmarks/executions.py --connections 32,256,1024 --write benchmarks/RESULTS.md

An execution is a call with its response, one message and the completion. This process is the caller
and the platform, on one core; the service has the other core to itself, with all its workers. A
PostgreSQL server shares the core of the caller, as if it were on another machine; without its
programs, its rows are left out. Each round measures every service, so that changes of the machine's
speed affect all of them; the table shows the median of the rounds, and ratios to `floor_gc`. Linux
only: processor time is read from /proc.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, cast

import httptools
import uvloop
from processes import peak_megabytes, processor_seconds

from tests.postgres_server import PostgresServer, find_programs, killable_server

HERE = Path(__file__).parent
WARM_UP = 1000
"""Executions before each measurement, if it has as many, to open connections and fill caches."""
REPEAT_SECONDS = 0.1
"""A call that was answered 503 is repeated after this time."""
ASGI = "-m uvicorn %s:app --port {port} --log-level warning --no-access-log"
BLOCK = "-m vertexkit run hello:app --port {port}"
BASE = "floor_gc"
"""The service that others are compared with."""
SERVICES = {
    BASE: (ASGI % "floor_gc", {}),
    "floor": (ASGI % "floor", {}),
    "handwritten": (ASGI % "handwritten", {}),
    "memory": (BLOCK, {"VERTEXKIT_JOURNAL": "memory:"}),
    "sqlite": (BLOCK, {"VERTEXKIT_JOURNAL": "sqlite:{folder}/journal.db"}),
    "sqlite, aiohttp": (
        BLOCK,
        {"VERTEXKIT_JOURNAL": "sqlite:{folder}/journal.db", "VERTEXKIT_WIRE": "aiohttp"},
    ),
    "postgres": (BLOCK, {"VERTEXKIT_JOURNAL": "{postgres}"}),
    "postgres, 2 workers": (f"{BLOCK} --workers 2", {"VERTEXKIT_JOURNAL": "{postgres}"}),
}
"""The command of each service, and its environment."""
SHARED_BUFFERS = "256MB"
"""Memory of the PostgreSQL server for pages; other settings are its defaults."""
BAR_CHARACTERS = 40
"""Length of the longest bar of a chart."""


@dataclass(frozen=True)
class Round:
    """Measurements of one round of a service."""

    per_second: float
    """Executions per second, from the first call to the last completion."""
    microseconds: float
    """Processor time of the service for one execution, user and system."""
    server: float
    """The same of the PostgreSQL server; 0 if the service does not use it."""
    megabytes: float
    """Peak memory of the service, in MiB."""
    latencies: list[float]
    """Seconds from each call to the completion of its block."""


@dataclass(frozen=True)
class Row:
    """Medians of the rounds of a service."""

    name: str
    per_second: float
    microseconds: float
    ratio: float
    """Of the processor time of the service, to that of `BASE`."""
    server: float
    """Microseconds of the PostgreSQL server for one execution."""
    p50: float
    """Of the time from a call to the completion, in milliseconds."""
    p99: float
    megabytes: float

    def cells(self) -> list[str]:
        numbers = [self.per_second, self.microseconds]
        numbers += [self.server, self.p50, self.p99, self.megabytes]
        texts = [f"{number:.0f}" for number in numbers]
        return [self.name, *texts[:2], f"{self.ratio:.2f}", *texts[2:]]


HEADINGS = (
    *("service", "executions/s", "µs/execution", "ratio"),
    *("server µs", "p50 ms", "p99 ms", "peak MiB"),
)


class HttpProtocol(asyncio.Protocol):
    """A connection with a minimal HTTP parser; subclasses define `on_message_complete`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._parser: httptools.HttpRequestParser | httptools.HttpResponseParser
        self.url = self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not subclass it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_begin(self) -> None:
        self.body = b""


class Platform(HttpProtocol):
    """Responds at once and counts completions."""

    completions = 0
    wanted = 0
    started: ClassVar[dict[str, float]] = {}
    """When each token's call was made."""
    latencies: ClassVar[list[float]] = []
    done: "asyncio.Future[None]"

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpRequestParser(self)

    def on_message_complete(self) -> None:
        if self.url.endswith(b"/complete"):
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            Platform.completions += 1
            started = self.started.pop(json.loads(self.body)["token"], None)
            if started is not None:
                self.latencies.append(time.perf_counter() - started)
            if Platform.completions == Platform.wanted:
                Platform.done.set_result(None)
            return
        body = b'{"message_id":123,"created_at":1669947527}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


class Caller(HttpProtocol):
    """Calls the block again as soon as it has the response to the last call."""

    def __init__(self, numbers: Iterator[int]) -> None:
        super().__init__()
        self._parser = httptools.HttpResponseParser(self)
        self._numbers = numbers
        self._number = 0

    def call(self) -> None:
        number = next(self._numbers, None)
        if number is not None:
            self._number = number
            self._send(number)

    def _send(self, number: int) -> None:
        token = f"token-{number}"
        body = json.dumps({"token": token, "name": "Dasha"}).encode()
        Platform.started.setdefault(token, time.perf_counter())
        head = (
            b"POST /blocks/hello HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        self.transport.write(head % len(body) + body)

    def on_message_complete(self) -> None:
        assert isinstance(self._parser, httptools.HttpResponseParser)
        status = self._parser.get_status_code()
        if status == 503:  # the journal was too slow, as on a busy machine
            asyncio.get_running_loop().call_later(REPEAT_SECONDS, self._send, self._number)
            return
        if status != 200:
            raise SystemExit(f"the response to a call was {status}: {self.body!r}")
        self.call()


async def load(port: int, first: int, executions: int, connections: int) -> float:
    """Make this number of calls; return the seconds until the last one is completed."""
    loop = asyncio.get_running_loop()
    Platform.completions, Platform.wanted = 0, executions
    Platform.done = loop.create_future()
    Platform.started.clear()
    Platform.latencies.clear()
    numbers = iter(range(first, first + executions))
    callers = [
        await loop.create_connection(lambda: Caller(numbers), "127.0.0.1", port)
        for _ in range(connections)
    ]
    start = time.perf_counter()
    for _, caller in callers:
        caller.call()
    await Platform.done
    took = time.perf_counter() - start
    for transport, _ in callers:
        transport.close()
    return took


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: str, environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a service in a process on the first core; yield its pid."""
    folder = TemporaryDirectory()
    process = subprocess.Popen(
        [sys.executable, *command.format(port=port).split()],
        cwd=HERE,
        env=os.environ
        | {"VERTEXKIT_LOG_FORMAT": "json"}
        | {key: value.replace("{folder}", folder.name) for key, value in environment.items()},
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),  # noqa: PLW1509 - no threads yet
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"this did not start: {command}") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
        folder.cleanup()


async def measure(
    name: str, executions: int, connections: int, postgres: PostgresServer | None
) -> Round:
    """Measure one round of one service."""
    loop = asyncio.get_running_loop()
    platform_server = await loop.create_server(Platform, "127.0.0.1", 0)
    address = platform_server.sockets[0].getsockname()
    command, environment = SERVICES[name]
    environment = environment | {"VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{address[1]}/api"}
    database = None
    if postgres is not None and environment.get("VERTEXKIT_JOURNAL") == "{postgres}":
        environment["VERTEXKIT_JOURNAL"] = new_database(postgres)
        database = postgres.process
    port = free_port()
    with running(command, environment, port) as pid:
        processes = [pid] if database is None else [pid, database.pid]
        warm_up = min(WARM_UP, executions)
        await load(port, 0, warm_up, connections)
        before = [processor_seconds(one) for one in processes]
        took = await load(port, warm_up, executions, connections)
        after = [processor_seconds(one) for one in processes]
        peak = peak_megabytes(pid)
    platform_server.close()
    costs = [(end - start) / executions * 1e6 for start, end in zip(before, after, strict=True)]
    return Round(executions / took, costs[0], sum(costs[1:]), peak, list(Platform.latencies))


def new_database(server: PostgresServer) -> str:
    """Create an empty database; return its URL."""
    server.sql("DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench", "CHECKPOINT")
    return server.url("bench")


def summarize(rounds: dict[str, list[Round]]) -> list[Row]:
    """Return the medians of each service."""
    base = statistics.median(one.microseconds for one in rounds[BASE])
    rows = []
    for name, done in rounds.items():
        cost = statistics.median(one.microseconds for one in done)
        p50, p99 = (
            statistics.median(statistics.quantiles(one.latencies, n=100)[at] for one in done) * 1000
            for at in (49, 98)
        )
        speed = statistics.median(one.per_second for one in done)
        server = statistics.median(one.server for one in done)
        peak = max(one.megabytes for one in done)
        rows.append(Row(name, speed, cost, cost / base, server, p50, p99, peak))
    return rows


def measure_all(
    options: argparse.Namespace, connections: int, postgres: PostgresServer | None
) -> list[Row]:
    """Measure every service in turn, round after round, and print a table."""
    rounds: dict[str, list[Round]] = {
        name: []
        for name, (_, environment) in SERVICES.items()
        if name not in options.without
        and (postgres is not None or "{postgres}" not in environment.values())
    }
    for number in range(options.rounds):
        print(f"{connections} connections, round {number + 1}", file=sys.stderr)
        for name, done in rounds.items():
            done.append(uvloop.run(measure(name, options.executions, connections, postgres)))
    rows = summarize(rounds)
    print(f"{connections} connections, {options.executions} executions, {options.rounds} rounds")
    widths = [20, *(len(heading) + 3 for heading in HEADINGS[1:])]
    for cells in (HEADINGS, *(row.cells() for row in rows)):
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        print(cells[0].ljust(widths[0]) + "".join(aligned[1:]))
    return rows


def report(options: argparse.Namespace, tables: dict[int, list[Row]]) -> str:
    """Return a page with the tables, their charts, the machine and the versions."""
    names = ("vertexkit", "aiohttp", "httpx", "starlette", "uvicorn", "uvloop")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    conditions = (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; "
        f"{versions}. {options.rounds} interleaved rounds of {options.executions} executions, "
        f"medians. The ratio is the processor time of an execution to that of `{BASE}` in the same "
        "run; `server µs` is that of the PostgreSQL server; p50 and p99 are the times from a call to "
        "the completion of its block."
    )
    parts = ["# Results of `make bench`", conditions]
    for connections, rows in tables.items():
        longest = max(row.ratio for row in rows)
        table = [f"| {' | '.join(row.cells())} |" for row in rows]
        bars = [
            f"{row.name:<20}{'█' * round(row.ratio / longest * BAR_CHARACTERS)} {row.ratio:.2f}"
            for row in rows
        ]
        parts += [
            f"## {connections} connections",
            "\n".join([f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|", *table]),
            "\n".join(["```text", *bars, "```"]),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", default="32", help="numbers, separated by commas")
    parser.add_argument("--executions", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--without", action="append", default=[], help="a service to leave out; may be repeated"
    )
    parser.add_argument("--write", type=Path, help="also write the tables to this Markdown file")
    options = parser.parse_args()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    numbers = [int(number) for number in options.connections.split(",")]
    database = killable_server(shared_buffers=SHARED_BUFFERS) if find_programs() else nullcontext()
    with database as postgres:
        tables = {number: measure_all(options, number, postgres) for number in numbers}
    if options.write is not None:
        options.write.write_text(report(options, tables))


if __name__ == "__main__":
    main()
