"""Measures what an execution costs a service and its PostgreSQL server.

    python benchmarks/database.py
    python benchmarks/database.py --connections 1,32 --executions 10000

An execution is that of `executions.py`: a call, one message and the completion. For each number of
connections a new service with an empty database makes executions as fast as it can: the more calls
there are at a time, the more of them share a transaction. With one connection, each execution is
made when the one before has been completed. The first table shows the counts and costs
of one execution, the second its size on the server's disk, the third the hardware that rates need by
these figures (docs/scaling.md says what it leaves out). The server counts its statements with
pg_stat_statements, which is part of the figures. Linux only, and only with the server's programs.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop
from load import Load, Platform
from processes import processor_seconds
from services import BLOCK, POSTGRES, SHARED_BUFFERS, Service, new_database, running

from tests.postgres_server import PostgresServer, killable_server
from tests.reserved_port import reserved_port

DATABASE = "bench"
WARM_UP = 1000
WARM_UP_CONNECTIONS = 32
STATISTICS_SECONDS = 1.5
"""After this time the server's processes have reported their statistics."""
RATES = (100, 1_000, 10_000, 100_000)
"""Executions per second."""
DAY_SECONDS = 86_400
PAGE_BYTES = 8192
COUNTS = """
SELECT coalesce(sum(calls), 0), coalesce(sum(calls) FILTER (WHERE query = 'COMMIT'), 0)
FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid WHERE datname = 'bench'
"""
WAL = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, wal_fpi, wal_sync FROM pg_stat_wal"
SIZES = """
SELECT relname, pg_table_size(relid), pg_indexes_size(relid), n_tup_upd, n_tup_hot_upd
FROM pg_stat_user_tables WHERE relname IN ('executions', 'effects') ORDER BY relname DESC
"""


@dataclass(frozen=True)
class Used:
    """What has been used so far."""

    service: float
    """Processor seconds."""
    server: float
    """Processor seconds."""
    statements: float
    transactions: float
    wal: float
    """Bytes of the write-ahead log."""
    pages: float
    """Images of whole pages in it."""
    syncs: float
    """How often it was flushed to the disk."""

    def minus(self, earlier: "Used", executions: int) -> "Used":
        """Return what one of the executions since then has used."""
        pairs = zip(self.values(), earlier.values(), strict=True)
        return Used(*((now - before) / executions for now, before in pairs))

    def values(self) -> Sequence[float]:
        return [
            *(self.service, self.server, self.statements, self.transactions),
            *(self.wal, self.pages, self.syncs),
        ]


@dataclass(frozen=True)
class Table:
    """What the executions have left in a table."""

    name: str
    bytes: float
    """Of the rows of one execution."""
    index_bytes: float
    updates: float
    """Per execution."""
    hot: float
    """Fraction of the updates that changed no index."""


def read_used(service: int, server: PostgresServer) -> Used:
    """Read what a service and the server have used so far."""
    assert server.process is not None
    time.sleep(STATISTICS_SECONDS)
    numbers = [float(n) for n in "|".join([server.sql(COUNTS), server.sql(WAL)]).split("|")]
    seconds = processor_seconds(service), processor_seconds(server.process.pid)
    return Used(*seconds, *numbers)


def read_tables(server: PostgresServer, executions: int) -> list[Table]:
    """Read the sizes of the tables, for each of a number of executions."""
    tables = []
    for line in server.sql(SIZES, database=DATABASE).splitlines():
        name, size, indexes, updates, hot = line.split("|")
        fraction = float(hot) / max(1.0, float(updates))
        of_one = [float(number) / executions for number in (size, indexes, updates)]
        tables.append(Table(name, of_one[0], of_one[1], of_one[2], fraction))
    return tables


async def measure(
    server: PostgresServer, executions: int, connections: int, workers: int
) -> tuple[float, Used, list[Table]]:
    """Return executions per second, what one of them has used, and what all have left."""
    loop = asyncio.get_running_loop()
    platform = await loop.create_server(Platform, "127.0.0.1", 0)
    platform_port = platform.sockets[0].getsockname()[1]
    service = Service(f"{BLOCK} --workers {workers}", POSTGRES)
    database = new_database(server)
    with reserved_port() as port, running(service, port, platform_port, database) as pid:
        warm_up = min(WARM_UP, executions)
        await Load(port, 0, warm_up, service.call).warm_up(WARM_UP_CONNECTIONS)
        before = read_used(pid, server)
        if connections == 1:
            loads = (Load(port, warm_up + n, 1, service.call) for n in range(executions))
        else:
            loads = (Load(port, warm_up, executions, service.call) for _ in range(1))
        took = 0.0
        for one in loads:  # each is made when the one before has ended
            took += await one.run(connections)
            if one.lost:
                raise SystemExit(f"{one.lost} executions were not completed")
        used = read_used(pid, server).minus(before, executions)
        tables = read_tables(server, warm_up + executions)
    platform.close()
    return executions / took, used, tables


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for cells in (headings, ["---"] * len(headings), *rows):
        print(f"| {' | '.join(cells)} |")
    print()


def costs(connections: int, per_second: float, used: Used) -> list[str]:
    """Return a row of the first table."""
    whole_pages = used.pages * PAGE_BYTES / used.wal
    return [
        f"{connections}",
        f"{per_second:.0f}",
        f"{used.statements:.1f}",
        f"{used.transactions:.2f}",
        f"{used.syncs:.2f}",
        f"{used.wal:.0f} B",
        f"{whole_pages:.0%}",
        f"{used.service * 1e6:.0f} µs",
        f"{used.server * 1e6:.0f} µs",
    ]


def hardware(rate: int, used: Used, tables: Sequence[Table]) -> list[str]:
    """Return what a number of executions per second needs."""
    return [
        f"{rate:,}",
        f"{rate * used.service:.1f}",
        f"{rate * used.server:.1f}",
        f"{rate * used.wal / 1e6:.1f} MB/s",
        f"{rate * used.wal * DAY_SECONDS / 1e9:,.0f} GB",
        f"{rate * DAY_SECONDS * sum(t.bytes + t.index_bytes for t in tables) / 1e9:,.0f} GB",
    ]


@contextmanager
def counting_server() -> Iterator[PostgresServer]:
    """A server that counts its statements."""
    settings = {"shared_buffers": SHARED_BUFFERS, "shared_preload_libraries": "pg_stat_statements"}
    with killable_server(**settings) as server:
        server.sql("CREATE EXTENSION pg_stat_statements")
        yield server


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", default="1,8,32", help="numbers, separated by commas")
    parser.add_argument("--executions", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    rows, last = [], None
    with counting_server() as server:
        for connections in map(int, options.connections.split(",")):
            print(f"{connections} connections", file=sys.stderr)
            last = uvloop.run(measure(server, options.executions, connections, options.workers))
            rows.append(costs(connections, *last[:2]))
    assert last is not None
    _, used, tables = last
    headings = ["connections", "executions/s", "statements", "transactions", "flushes"]
    print_rows([*headings, "WAL", "whole pages", "service", "server"], rows)
    sizes = [
        [t.name, f"{t.bytes:.0f} B", f"{t.index_bytes:.0f} B", f"{t.updates:.1f}", f"{t.hot:.0%}"]
        for t in tables
    ]
    print_rows(["table", "rows", "indexes", "updates", "of these HOT"], sizes)
    headings = ["executions/s", "cores of services", "cores of the server", "WAL"]
    needs = [hardware(rate, used, tables) for rate in RATES]
    print_rows([*headings, "WAL of a day", "tables after a day"], needs)


if __name__ == "__main__":
    main()
