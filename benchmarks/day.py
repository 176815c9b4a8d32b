"""Simulates a day of executions in the PostgreSQL journal, and measures its tables.

    python benchmarks/day.py --rate 10
    python benchmarks/day.py --rate 1000 --hours 0.5 --steps 6

The clock is the journal's: each step is ten seconds of it, the period of the retention. In a step the
executions of ten seconds are accepted, claimed, send a message, record a result and settle, with the
statements of the service, many rows at a time; then the retention of the service runs, and what
autovacuum would vacuum is vacuumed: once a minute it looks at the dead rows of each table, with the
settings of the server and of the table.

The retention keeps the newest 100,000 ended executions, which are those of the last 100 seconds at
1,000 executions per second. With another rate the same seconds are kept, so that all ratios are those of
a day at 1,000 per second: what is measured at 10 per second should be a hundredth of it. To see that it
is, compare a part of a day at several rates. Only with the server's programs.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

import psycopg

from tests.postgres_server import PostgresServer, killable_server
from vertexkit.execution import EffectState, OutcomeStatus
from vertexkit.journal.postgres import retention
from vertexkit.journal.postgres.acceptance_statements import ACCEPT
from vertexkit.journal.postgres.address import parse_address
from vertexkit.journal.postgres.arrays import read_bigint
from vertexkit.journal.postgres.background import BackgroundConnection
from vertexkit.journal.postgres.database import Database
from vertexkit.journal.postgres.monitor import RETENTION_SECONDS
from vertexkit.journal.postgres.statements import CLAIM, EFFECTS, RECORD_RESULT, SETTLE
from vertexkit.settings import JournalSettings

KEPT_SECONDS = 100.0
"""Of the executions that the retention keeps, at 1,000 per second."""
MAX_ROWS = 500
"""Executions of one statement: a group of the service has at most 512 writes."""
NAPTIME_SECONDS = 60.0
"""How often autovacuum looks at a database, by default."""
HOUR_SECONDS = 3600.0
DATABASE = "day"
TOKEN, INPUTS, RESULT = b"t" * 300, b'{"amount":100000,"months":12}', b'{"offers":[1,2,3]}'
MESSAGE = b'{"message_id":123456,"created_at":1700000000}'
DIGEST = "d" * 43
FULL = """
SELECT found.relname, n_dead_tup FROM pg_stat_user_tables AS found JOIN pg_class ON pg_class.oid = relid
WHERE n_dead_tup > 50 + reltuples * coalesce((
    SELECT split_part(option, '=', 2)::float8 FROM unnest(reloptions) AS option
    WHERE option LIKE 'autovacuum_vacuum_scale_factor=%'), 0.2)
"""
"""The tables that autovacuum would vacuum."""
SIZES = """
SELECT sum(n_live_tup)::bigint, sum(n_dead_tup)::bigint, sum(pg_table_size(relid))::bigint,
    sum(pg_indexes_size(relid))::bigint
FROM pg_stat_user_tables WHERE relname IN ('executions', 'effects')
"""
ROWS = "SELECT count(*) FROM vertexkit.executions"


@dataclass
class Vacuums:
    """What was vacuumed."""

    number: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    most_dead: int = 0
    """Dead rows of a table before it was vacuumed."""

    def add(self, seconds: float, dead: int) -> None:
        self.number += 1
        self.most_dead = max(self.most_dead, dead)
        self.seconds += seconds
        self.longest = max(self.longest, seconds)


class Day:
    """A journal whose clock runs ahead.

    Args:
        server: that the journal is in.
        rate: executions per second.
    """

    def __init__(self, server: PostgresServer, rate: float) -> None:
        self.vacuums = Vacuums()
        self.accepted = 0
        self._server = server
        self._per_step = round(rate * RETENTION_SECONDS)
        self._ahead = 0.0
        self._numbers = count(1)
        self._settings = JournalSettings(url=server.url(DATABASE))
        database = Database(parse_address(server.url(DATABASE).split(":", 1)[1]), self._settings)
        self.database = database
        self._connection = BackgroundConnection(
            lambda: database.connect_listener(lambda: None), lambda: self._ahead
        )
        self._sql: psycopg.AsyncConnection[tuple[object, ...]]
        self._vacuum_at = NAPTIME_SECONDS

    async def open(self) -> None:
        """Create the schema, and connect."""
        await self.database.prepare(unique=False)
        url = self._server.url(DATABASE)
        self._sql = await psycopg.AsyncConnection.connect(url, autocommit=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()
        await self._sql.close()

    async def step(self) -> None:
        """Let ten seconds pass."""
        remaining = self._per_step
        while remaining > 0:
            number = min(MAX_ROWS, remaining)
            await self._execute(number)
            remaining -= number
            self._ahead += RETENTION_SECONDS * number / self._per_step
        await retention.delete_old(self._connection, self._settings)
        if self._ahead >= self._vacuum_at:
            self._vacuum_at += NAPTIME_SECONDS
            await self._vacuum()

    async def _execute(self, number: int) -> None:
        """Let a number of executions go from their acceptance to their outcome."""
        names = [f"{next(self._numbers):022x}" for _ in range(number)]
        self.accepted += number
        run = self._connection.run
        keys = [sha256(name.encode()).digest() for name in names]
        await run(
            ACCEPT,
            False,
            names,
            ["loan"] * number,
            keys,
            [int(name, 16) for name in names],
            [1000.0] * number,
            [number] * number,
            [""] * number,
            [None] * number,
            [TOKEN] * number,
            [INPUTS] * number,
            [INPUTS] * number,
        )
        claimed = await run(CLAIM, "worker", 30.0, number, False, ["loan"], [number])
        rows = range(claimed.ntuples)
        held = [(claimed.get_value(row, 0) or b"").decode() for row in rows]
        assert sorted(held) == names
        leases = (
            held,
            [read_bigint(claimed.get_value(r, 7) or b"") for r in rows],
            ["worker"] * number,
        )
        for state, value in ((EffectState.INTENDED, b""), (EffectState.CONFIRMED, MESSAGE)):
            effect = ([0] * number, ["send"] * number, [DIGEST] * number)
            await run(EFFECTS, *leases, *effect, [state] * number, [value] * number)
        await run(RECORD_RESULT, *leases, [RESULT] * number, ["ok"] * number, [True] * number)
        ending = ([OutcomeStatus.COMPLETED] * number, ["ok"] * number, ["204"] * number)
        await run(SETTLE, *leases, *ending, [""] * number, [False] * number)

    async def _vacuum(self) -> None:
        """Do what autovacuum would do."""
        await self._sql.execute("SELECT pg_stat_force_next_flush()")
        for table, dead in await (await self._sql.execute(FULL)).fetchall():
            started = time.perf_counter()
            await self._sql.execute(f"VACUUM ANALYZE vertexkit.{table}".encode())
            self.vacuums.add(time.perf_counter() - started, int(str(dead)))

    async def sizes(self) -> tuple[int, ...]:
        """Return the executions, the dead rows, and the bytes of the tables and of their indexes."""
        kept = await (await self._sql.execute(ROWS)).fetchone()
        row = await (await self._sql.execute(SIZES)).fetchone()
        assert kept is not None
        assert row is not None
        return tuple(int(str(value)) for value in (kept[0], *row[1:]))


async def simulate(server: PostgresServer, rate: float, hours: float, steps: int) -> None:
    """Simulate a number of hours, and print the sizes a number of times."""
    retention.MAX_ENDED_EXECUTIONS = round(rate * KEPT_SECONDS)
    server.sql(f"CREATE DATABASE {DATABASE}")
    day = Day(server, rate)
    await day.open()
    all_steps = max(steps, round(hours * HOUR_SECONDS / RETENTION_SECONDS))
    print(f"{'hour':>6}{'accepted':>12}{'kept':>9}{'dead':>9}{'tables':>11}{'indexes':>11}")
    for number in range(1, all_steps + 1):
        await day.step()
        if number % (all_steps // steps) == 0:
            kept, dead, tables, indexes = await day.sizes()
            hour = number * RETENTION_SECONDS / HOUR_SECONDS
            megabytes = f"{tables / 1e6:>8.1f} MB{indexes / 1e6:>8.1f} MB"
            print(f"{hour:>6.2f}{day.accepted:>12,}{kept:>9,}{dead:>9,}{megabytes}", flush=True)
    vacuums = day.vacuums
    mean = vacuums.seconds / max(1, vacuums.number)
    times = f"{mean * 1e3:.0f} ms each, the longest {vacuums.longest * 1e3:.0f} ms"
    print(f"{vacuums.number} vacuums, {times}; at most {vacuums.most_dead:,} dead rows before one")
    await day.close()


def main() -> None:
    """Simulate with the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=10.0, help="executions per second")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--steps", type=int, default=8, help="how often the sizes are printed")
    options = parser.parse_args()
    settings = {
        "shared_buffers": "256MB",
        "autovacuum": "off",
        "fsync": "off",
        "max_wal_size": "2GB",
    }
    with killable_server(**settings) as server:
        print(f"{options.rate:g} executions per second, {options.hours:g} hours", file=sys.stderr)
        asyncio.run(simulate(server, options.rate, options.hours, options.steps))


if __name__ == "__main__":
    main()
