"""What an execution costs: processor time of a service, as a ratio to the floor's.

    python benchmarks/executions.py --connections 32
    python benchmarks/executions.py --connections 256

An execution is a call of the block that is answered, one message, and the completion. This process
is both the caller and the platform, on one core; the service has another one to itself. The services
take turns, round after round, so that a drift of the machine hits them alike; what is printed is the
median of the rounds. Linux only: processor time is read from /proc.
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
WARM = 1000
"""Executions before each measurement: connections are open, and caches filled."""
TICKS = os.sysconf("SC_CLK_TCK")
FLOOR = "-m uvicorn floor:app --port {port} --log-level warning --no-access-log"
BLOCK = "-m vertexkit run hello:app --port {port}"
SERVICES = {
    "floor": (FLOOR, ""),
    "memory": (BLOCK, "memory:"),
    "sqlite": (BLOCK, "sqlite:{folder}/journal.db"),
}
"""The command of each, and its journal."""


@dataclass(frozen=True)
class Round:
    """What one round of a service came to."""

    per_second: float
    """Executions, from the first call to the last completion."""
    microseconds: float
    """Processor time of the service for one execution, user and system."""
    megabytes: float
    """The service's memory at its peak."""


class Peer(asyncio.Protocol):
    """One end of a connection that speaks just enough HTTP; `on_message_complete` is the rest."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._parser: httptools.HttpRequestParser | httptools.HttpResponseParser
        self.url = self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_begin(self) -> None:
        self.body = b""


class Platform(Peer):
    """Answers at once, and counts completions."""

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


class Caller(Peer):
    """Calls the block again as soon as the last call is answered."""

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
            raise SystemExit(f"a call was answered {status}: {self.body!r}")
        self.call()


async def load(port: int, first: int, executions: int, connections: int) -> float:
    """Make so many calls; gives the seconds until the last one is completed."""
    loop = asyncio.get_running_loop()
    Platform.completions, Platform.wanted = 0, executions
    Platform.done = loop.create_future()
    numbers = iter(range(first, first + executions))
    made = [
        await loop.create_connection(lambda: Caller(numbers), "127.0.0.1", port)
        for _ in range(connections)
    ]
    began = time.perf_counter()
    for _, caller in made:
        caller.call()
    await Platform.done
    took = time.perf_counter() - began
    for transport, _ in made:
        transport.close()
    return took


def spent(pid: int) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a process."""
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
    """A service in a process of its own, on the first core; gives its pid."""
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
    """One round of one service."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Platform, "127.0.0.1", 0)
    port = free_port()
    with running(name, port, server.sockets[0].getsockname()[1]) as pid:
        await load(port, 0, WARM, connections)
        before, _ = spent(pid)
        took = await load(port, WARM, executions, connections)
        after, peak = spent(pid)
    server.close()
    return Round(executions / took, (after - before) / executions * 1e6, peak)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--executions", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    rounds: dict[str, list[Round]] = {name: [] for name in SERVICES}
    for _ in range(asked.rounds):
        for name, done in rounds.items():
            done.append(uvloop.run(measure(name, asked.executions, asked.connections)))
    print(f"{asked.connections} connections, {asked.executions} executions, {asked.rounds} rounds")
    print("service     executions/s   µs/execution   ratio   peak MiB")
    floor = statistics.median(each.microseconds for each in rounds["floor"])
    for name, done in rounds.items():
        speed = statistics.median(each.per_second for each in done)
        cost = statistics.median(each.microseconds for each in done)
        peak = max(each.megabytes for each in done)
        print(f"{name:<10}{speed:>14.0f}{cost:>15.0f}{cost / floor:>8.2f}{peak:>11.0f}")


if __name__ == "__main__":
    main()
