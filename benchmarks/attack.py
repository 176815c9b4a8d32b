"""Measures how a service serves valid calls while it is attacked: `make attack`.

    python benchmarks/attack.py --seconds 12

A service, started with `vertexkit run`, has one core to itself. This process is the platform and its
callers; it shares the other core with the attacker. It makes 100 calls per second, half of them on
new connections. Each attack is compared with the median of the rounds without load. Prints a Markdown
table. Linux only.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attacks
import uvloop
from load import Platform
from services import HERE

from tests.reserved_port import reserved_port

SECRET = secrets.token_urlsafe(32)
CALLS_PER_SECOND = 100
KEPT_CONNECTIONS = 64
"""Persistent connections; every second call opens a connection of its own."""
CALL_TIMEOUT = 30.0
"""Seconds after which a call counts as failed."""


class CountingPlatform(Platform):
    """Counts completions."""

    completions = 0

    def complete(self, _: bytes) -> None:
        CountingPlatform.completions += 1


@dataclass
class Round:
    """Measurements of the valid calls of one round."""

    seconds: list[float] = field(default_factory=list)
    """From the time a call was due to its response."""
    failed: int = 0
    """Calls whose response was not 200."""
    megabytes: float = 0.0
    """Peak memory of the service, in MiB."""

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


class Callers:
    """The clients that make valid calls."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.calls = 0
        self._kept: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(KEPT_CONNECTIONS):
            self._kept.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def call(self, due: float, round_: Round) -> None:
        """Make one call; like other clients, open a persistent connection again if it was closed."""
        self.calls += 1
        body = json.dumps({"token": f"token-{self.calls}", "name": "Dasha"}).encode()
        request = (
            f"POST /blocks/hello?key={SECRET} HTTP/1.1\r\nHost: a\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                if self.calls % 2:
                    connection = await asyncio.open_connection("127.0.0.1", self._port)
                    status = await ask(connection, request)
                    connection[1].close()
                else:
                    connection = await self._kept.get()
                    status = await ask(connection, request)
                    if not status:
                        connection = await asyncio.open_connection("127.0.0.1", self._port)
                        status = await ask(connection, request)
                    self._kept.put_nowait(connection)
        except OSError:
            status = b""
        round_.seconds.append(time.perf_counter() - due)
        round_.failed += status != b"200"


@dataclass(frozen=True)
class AttackResult:
    """The result of one attack."""

    name: str
    quiet: Round
    attacked: Round
    done: dict[str, Any]

    def row(self, quiet: float) -> str:
        """Format a row of the table; `quiet` is the p99 without an attack, in seconds."""
        done, attacked = self.done, self.attacked
        attack, at_once = attacks.ATTACKS[self.name]
        answers = sorted(done["answers"].items(), key=lambda item: -item[1])[:3]
        cells = (
            (attack.__doc__ or "").strip().rstrip("."),
            f"{at_once:,} at once, {done['connections']:,} in total",
            f"{done['requests']:,}",
            f"{done['sent'] / 1e6:,.1f}",
            ", ".join(f"{status} × {number:,}" for status, number in answers) or "nothing",
            f"{len(attacked.seconds) - attacked.failed:,} of {len(attacked.seconds):,}",
            f"{attacked.p99 * 1000:.1f} ms, × {attacked.p99 / quiet:.1f}",
            f"{attacked.megabytes:.0f}",
        )
        return f"| {' | '.join(cells)} |"


async def ask(connection: Any, request: bytes) -> bytes:
    """Send a request; return the status of its response, empty if the connection is closed."""
    reader, writer = connection
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    status: bytes = head[9:12]
    return status


async def one_round(callers: Callers, pid: int, seconds: float) -> Round:
    """Call at a constant rate, however long responses take, and sample the service's memory."""
    round_ = Round()
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * CALLS_PER_SECOND)):
            due = start + number / CALLS_PER_SECOND
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(callers.call(due, round_))
            if number % 10 == 0:
                round_.megabytes = max(round_.megabytes, resident(pid))
    return round_


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def measure_attack(
    name: str, callers: Callers, pid: int, port: int, seconds: float
) -> AttackResult:
    """Measure a round without and one with the attack, after two seconds to recover."""
    await one_round(callers, pid, 2)
    quiet = await one_round(callers, pid, seconds / 2)
    program = [sys.executable, str(HERE / "attacks.py"), name, str(port), SECRET]
    process = await asyncio.create_subprocess_exec(
        *program, str(seconds + 1), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await asyncio.sleep(1)  # the attacker is starting
    attacked = await one_round(callers, pid, seconds)
    done = json.loads(await process.stdout.read())
    await process.wait()
    return AttackResult(name, quiet, attacked, done)


async def serve(platform: int, port: int, folder: str) -> asyncio.subprocess.Process:
    """Start a service on the first core; return when it listens."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "vertexkit", "run", "hello:app", "--port", str(port)],
        cwd=HERE,
        env=os.environ
        | {
            "VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{platform}/api",
            "VERTEXKIT_LOG_FORMAT": "json",
            "VERTEXKIT_URL_SECRETS": SECRET,
            "VERTEXKIT_JOURNAL": f"sqlite:{folder}/journal.db",
        },
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return process
    raise SystemExit("the service did not start")


async def measure(names: list[str], seconds: float) -> None:
    """Run these attacks and print the table."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(CountingPlatform, "127.0.0.1", 0)
    with reserved_port() as port, TemporaryDirectory() as folder:
        process = await serve(server.sockets[0].getsockname()[1], port, folder)
        callers = Callers(port)
        await callers.open()
        await one_round(callers, process.pid, 2)
        results = []
        for name in names:
            print(name, file=sys.stderr)
            results.append(await measure_attack(name, callers, process.pid, port, seconds))
        quiet = statistics.median(result.quiet.p99 for result in results)
        print(
            "| Attack | Connections | Requests | MB sent | Replies to the attacker | "
            "Valid calls answered | Their p99, ratio to no load | Memory, MiB |"
        )
        print(f"|{'---|' * 8}")
        print("\n".join(result.row(quiet) for result in results))
        process.send_signal(signal.SIGTERM)
        await process.wait()
    server.close()
    print(f"\nWithout load: p99 {quiet * 1000:.1f} ms.")
    print(f"Valid calls: {callers.calls:,}, completed: {CountingPlatform.completions:,}.")


def main() -> None:
    """Run the attacks that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(attacks.ATTACKS)}; all by default")
    parser.add_argument("--seconds", type=float, default=12.0, help="for each attack")
    options = parser.parse_args()
    if unknown := set(options.names) - attacks.ATTACKS.keys():
        parser.error(f"no such attack: {', '.join(unknown)}")
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    uvloop.run(measure(options.names or list(attacks.ATTACKS), options.seconds))


if __name__ == "__main__":
    main()
