"""Measures what bounds one, two and three workers that share a journal in PostgreSQL.

    python benchmarks/fleet.py
    python benchmarks/fleet.py --workers 1,2 --connections 256 --executions 10000

The same as `database.py`, for each number of workers. The services run on the first core, the server,
the callers and the platform on the last one.

The first table shows how the work of an execution is divided: transactions, statements, claims (and
how many of them found nothing), notifications, and the processor time of the service, of the server and
of the callers with the platform. The second one shows in what states the connections that write were
found, and how much time all processors were idle: a fleet with idle processors waits for something,
otherwise the processors bound it. Linux only, and only with the server's programs.
"""

import argparse
import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import uvloop
from database import (
    DATABASE,
    WARM_UP,
    WARM_UP_CONNECTIONS,
    Used,
    counting_server,
    print_rows,
    read_used,
)
from load import Load, Platform
from processes import TICKS
from services import BLOCK, POSTGRES, Service, new_database, running

from tests.postgres_server import PostgresServer
from tests.reserved_port import reserved_port

SAMPLE_SECONDS = 0.01
STATES = """
SELECT coalesce(wait_event_type || ':' || wait_event, 'Running') FROM pg_stat_activity
WHERE application_name = 'vertexkit' AND datname = 'bench' AND wait_event IS DISTINCT FROM 'ClientRead'
"""
"""Of the connections that do something: the others wait for their process."""
CALLS = """
SELECT coalesce(sum(calls), 0), coalesce(sum(rows), 0) FROM pg_stat_statements
JOIN pg_database ON pg_database.oid = dbid WHERE datname = 'bench' AND query LIKE '{}'
"""
CLAIMS, NOTIFICATIONS = "%CROSS JOIN LATERAL%SKIP LOCKED%", "NOTIFY%"
FLUSHES = frozenset({"IO:WALSync", "IO:WALWrite", "LWLock:WALWrite"})


@dataclass
class States:
    """In what states connections were found."""

    found: Counter[str] = field(default_factory=Counter)
    samples: int = 0

    def share(self, workers: int, *names: str) -> float:
        """Return the share of the time in which a writing connection was in one of these states."""
        return sum(self.found[name] for name in names) / max(1, self.samples * workers)


@dataclass(frozen=True)
class Measured:
    """What was measured with a number of workers; counts and times are of one execution."""

    workers: int
    per_second: float
    used: Used
    callers: float
    """Processor seconds of the callers and the platform."""
    claims: float
    claimed: float
    """Executions that a claim has found."""
    notifications: float
    states: States
    idle: float
    """Share of the time of all processors."""


def idle_seconds() -> float:
    """Return for how long all processors together have been idle."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / TICKS


@contextmanager
def sampled(server: PostgresServer) -> Iterator[States]:
    """Look at the connections again and again, in a thread."""
    states, over = States(), threading.Event()

    def sample() -> None:
        with psycopg.connect(server.url(DATABASE), autocommit=True) as connection:
            while not over.wait(SAMPLE_SECONDS):
                states.found.update(row[0] for row in connection.execute(STATES, prepare=True))
                states.samples += 1

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield states
    finally:
        over.set()
        thread.join()


def calls(server: PostgresServer, pattern: str) -> tuple[float, float]:
    """Return how often statements like this were executed, and how many rows they have returned."""
    number, rows = server.sql(CALLS.format(pattern)).split("|")
    return float(number), float(rows)


async def measure(
    server: PostgresServer, executions: int, connections: int, workers: int
) -> Measured:
    """Make executions with a number of workers as fast as they can."""
    loop = asyncio.get_running_loop()
    platform = await loop.create_server(Platform, "127.0.0.1", 0)
    platform_port = platform.sockets[0].getsockname()[1]
    service = Service(f"{BLOCK} --workers {workers}", POSTGRES)
    database = new_database(server)
    with reserved_port() as port, running(service, port, platform_port, database) as pid:
        warm_up = Load(port, 0, min(WARM_UP, executions), service.call)
        await warm_up.warm_up(WARM_UP_CONNECTIONS)
        before = read_used(pid, server)
        counts = [calls(server, pattern) for pattern in (CLAIMS, NOTIFICATIONS)]
        started, own, idle = time.monotonic(), time.process_time(), idle_seconds()
        load = Load(port, warm_up.calls, executions, service.call)
        with sampled(server) as states:
            took = await load.run(connections)
        own = time.process_time() - own
        idle = (idle_seconds() - idle) / (time.monotonic() - started) / (os.cpu_count() or 1)
        if load.lost:
            raise SystemExit(f"{load.lost} executions were not completed")
        used = read_used(pid, server).minus(before, executions)
        now = [calls(server, pattern) for pattern in (CLAIMS, NOTIFICATIONS)]
    platform.close()
    claims, found = (later - earlier for later, earlier in zip(now[0], counts[0], strict=True))
    return Measured(
        workers,
        executions / took,
        used,
        own / executions,
        claims / executions,
        found / max(1.0, claims),
        (now[1][0] - counts[1][0]) / executions,
        states,
        idle,
    )


def work(measured: Measured) -> list[str]:
    """Return a row of the first table."""
    used = measured.used
    return [
        f"{measured.workers}",
        f"{measured.per_second:.0f}",
        f"{used.transactions:.3f}",
        f"{used.statements:.2f}",
        f"{measured.claims:.3f}",
        f"{measured.claimed:.1f}",
        f"{measured.notifications:.4f}",
        f"{used.service * 1e6:.0f} µs",
        f"{used.server * 1e6:.0f} µs",
        f"{measured.callers * 1e6:.0f} µs",
    ]


def waits(measured: Measured) -> list[str]:
    """Return a row of the second table."""
    states, workers = measured.states, measured.workers
    others = [name for name in states.found if name not in FLUSHES and name != "Running"]
    shares = [
        states.share(workers, "Running"),
        states.share(workers, *FLUSHES),
        states.share(workers, *others),
    ]
    seen = [max(0.0, 1.0 - sum(shares)), *shares, measured.idle]
    return [f"{workers}", *(f"{share:.0%}" for share in seen)]


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", default="1,2,3", help="numbers, separated by commas")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--executions", type=int, default=6000)
    options = parser.parse_args()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    found = []
    with counting_server() as server:
        for workers in map(int, options.workers.split(",")):
            print(f"{workers} workers", file=sys.stderr)
            found.append(
                uvloop.run(measure(server, options.executions, options.connections, workers))
            )
    headings = ["workers", "executions/s", "transactions", "statements", "claims", "of a claim"]
    times = ["notifications", "service", "server", "callers"]
    print_rows([*headings, *times], [work(measured) for measured in found])
    headings = ["workers", "waits for its process", "runs", "flushes", "waits for others"]
    print_rows([*headings, "processors idle"], [waits(measured) for measured in found])


if __name__ == "__main__":
    main()
