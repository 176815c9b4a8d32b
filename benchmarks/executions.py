"""Measures the processor time of an execution, as a ratio to that of a minimal service.

    python benchmarks/executions.py --connections 32
    python benchmarks/executions.py --connections 256

An execution is a call with its response, one message and the completion. This process is the caller
and the platform, on one core; the service has the other core to itself. Each round measures every
service, so that changes of the machine's speed affect all of them; the table shows the median of the
rounds. Linux only: processor time is read from /proc.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import httptools
import uvloop

HERE = Path(__file__).parent
WARM_UP = 1000
"""Executions before each measurement, to open connections and fill caches."""
TICKS = os.sysconf("SC_CLK_TCK")
FLOOR = "-m uvicorn floor:app --port {port} --log-level warning --no-access-log"
BLOCK = "-m vertexkit run hello:app --port {port}"
SERVICES = {
    "floor": (FLOOR, ""),
    "memory": (BLOCK, "memory:"),
    "sqlite": (BLOCK, "sqlite:{folder}/journal.db"),
}
"""The command of each service, and its journal."""


@dataclass(frozen=True)
class Round:
    """Measurements of one round of a service."""

    per_second: float
    """Executions per second, from the first call to the last completion."""
    microseconds: float
    """Processor time of the service for one execution, user and system."""
    megabytes: float
    """Peak memory of the service, in MiB."""


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
    done: "asyncio.Future[None]"

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpRequestParser(self)

    def on_message_complete(self) -> None:
        if self.url.endswith(b"/complete"):
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            Platform.completions += 1
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

    def call(self) -> None:
        number = next(self._numbers, None)
        if number is None:
            return
        body = json.dumps({"token": f"token-{number}", "name": "Dasha"}).encode()
        head = (
            b"POST /blocks/hello HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
        )
        self.transport.write(head % len(body) + body)

    def on_message_complete(self) -> None:
        assert isinstance(self._parser, httptools.HttpResponseParser)
        status = self._parser.get_status_code()
        if status != 200:
            raise SystemExit(f"the response to a call was {status}: {self.body!r}")
        self.call()


async def load(port: int, first: int, executions: int, connections: int) -> float:
    """Make this number of calls; return the seconds until the last one is completed."""
    loop = asyncio.get_running_loop()
    Platform.completions, Platform.wanted = 0, executions
    Platform.done = loop.create_future()
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


def spent(pid: int) -> tuple[float, float]:
    """Return the processor seconds and the peak memory in MiB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, int(peak.split()[1]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(name: str, port: int, platform: int) -> Iterator[int]:
    """Run a service in a process on the first core; yield its pid."""
    command, journal = SERVICES[name]
    folder = TemporaryDirectory()
    process = subprocess.Popen(
        [sys.executable, *command.format(port=port).split()],
        cwd=HERE,
        env=os.environ
        | {
            "VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{platform}/api",
            "VERTEXKIT_LOG_FORMAT": "json",
            "VERTEXKIT_JOURNAL": journal.format(folder=folder.name),
        },
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
                    raise SystemExit(f"{name} did not start") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)
        folder.cleanup()


async def measure(name: str, executions: int, connections: int) -> Round:
    """Measure one round of one service."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Platform, "127.0.0.1", 0)
    port = free_port()
    with running(name, port, server.sockets[0].getsockname()[1]) as pid:
        await load(port, 0, WARM_UP, connections)
        before, _ = spent(pid)
        took = await load(port, WARM_UP, executions, connections)
        after, peak = spent(pid)
    server.close()
    return Round(executions / took, (after - before) / executions * 1e6, peak)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--executions", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    rounds: dict[str, list[Round]] = {name: [] for name in SERVICES}
    for _ in range(options.rounds):
        for name, done in rounds.items():
            done.append(uvloop.run(measure(name, options.executions, options.connections)))
    print(
        f"{options.connections} connections, {options.executions} executions, {options.rounds} rounds"
    )
    print("service     executions/s   µs/execution   ratio   peak MiB")
    floor = statistics.median(one.microseconds for one in rounds["floor"])
    for name, done in rounds.items():
        speed = statistics.median(one.per_second for one in done)
        cost = statistics.median(one.microseconds for one in done)
        peak = max(one.megabytes for one in done)
        print(f"{name:<10}{speed:>14.0f}{cost:>15.0f}{cost / floor:>8.2f}{peak:>11.0f}")


if __name__ == "__main__":
    main()
