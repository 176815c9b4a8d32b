"""Measures how long the jobs of an SQLite journal keep its commits waiting.

    python benchmarks/journal_waits.py --rows 200000
    python benchmarks/journal_waits.py --rows 1000000

A journal has one connection. A job of the retention, or a part of an operator's search, has it for
some time; a call that is accepted meanwhile is answered after that. The file is filled with ended
executions, of which a third is too old; one in a hundred is parked and still has a call of 60 kB.
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vertexkit.clock import Clock
from vertexkit.journal.protocol import NullJournalObserver, Query
from vertexkit.journal.sqlite.file import open_file
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.thread import JobThread
from vertexkit.settings import JournalSettings

DAY = 86_400.0
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
INSERT INTO executions (number, id, block, key, dialog, accepted_at, phase, attempts, claimed_at,
    code, result_recorded_at, completion_tries, completion_tried_at, ending, confirmed_by, reason,
    ended_at, ended_age, token, inputs, raw)
SELECT n, printf('%022x', n), 'block' || (n % 7), randomblob(32), n % 1000, n, 'settled', 1, n,
    'ok', n, 1, n, iif(n % 100, 'completed', 'parked'), '204', '', n,
    iif(n % 3, 100 * 86400.0, n / 1e9), iif(n % 100, NULL, hex(randomblob(100))),
    iif(n % 100, NULL, randomblob(30000)), iif(n % 100, NULL, randomblob(30000))
FROM numbers
"""
FILL_EFFECTS = """
INSERT INTO effects SELECT number, column1, 'send', 'abcdef', 'confirmed', CAST('{"message_id":1}' AS BLOB), 1, 1
FROM executions, (VALUES (0), (1), (2))
"""
FILL_TOKENS = "INSERT INTO tokens SELECT key, id, ended_age FROM executions"


class MeasuredThread(JobThread):
    """Notes how long each job has the connection."""

    seconds: dict[bool, list[float]]
    """Of each job, by whether it is a checkpoint, which waits for the disk."""

    def put(
        self, job: Callable[[], Any], callback: Callable[[Any, Exception | None], None]
    ) -> None:
        """Run a job as `JobThread` does."""
        is_checkpoint = any(name in repr(job) for name in ("checkpoint", "empty_log"))

        def measured() -> Any:
            started = time.perf_counter()
            try:
                return job()
            finally:
                self.seconds[is_checkpoint].append(time.perf_counter() - started)

        super().put(measured, callback)


async def measure(rows: int) -> None:
    """Fill a journal, then delete, erase and search, and print the table."""
    threads: list[MeasuredThread] = []

    def make(*arguments: Any) -> MeasuredThread:
        threads.append(MeasuredThread(*arguments))
        threads[-1].seconds = defaultdict(list)
        return threads[-1]

    with TemporaryDirectory() as folder:
        print(row("for comparison: fsync of 4 KiB", list(fsyncs(Path(folder) / "file")), 0.0))
        path = Path(folder) / "journal.db"
        fill(path, rows)
        settings = JournalSettings(retention=DAY, parked_retention=DAY, tokens="unique")
        journal = SqliteJournal(path, Clock(), settings, make)
        await journal.open(NullJournalObserver())
        [thread] = threads
        retention = journal._retention  # noqa: SLF001 - its jobs are measured one by one
        retention._supervisor.cancel(retention._task)  # noqa: SLF001
        searches = {
            "a search that finds nothing": Query(code="no such code"),
            "a search of a dialog": Query(dialog=7, limit=1000),
            "a search of the newest": Query(limit=1000),
        }
        jobs: dict[str, Callable[[], Awaitable[object]]] = {
            name: partial(journal.search, query) for name, query in searches.items()
        }
        jobs |= {
            "deletion by age": retention._delete_old,  # noqa: SLF001
            "deletion by number": retention._delete_surplus,  # noqa: SLF001
            "erasure, and the file's size": retention._erase_deleted,  # noqa: SLF001
        }
        for name, job in jobs.items():
            thread.seconds.clear()
            started = time.perf_counter()
            await job()
            whole = time.perf_counter() - started
            for is_checkpoint, seconds in thread.seconds.items():
                print(row(f"{name}, checkpoints" if is_checkpoint else name, seconds, whole))
        await journal.close()


def fill(path: Path, rows: int) -> None:
    """Make a journal with ended executions."""
    open_file(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(FILL, {"rows": rows})
        connection.execute(FILL_EFFECTS)
        connection.execute(FILL_TOKENS)
        connection.execute(
            "UPDATE journal SET age = ?, saved_at = ?, last_number = ?",
            (100 * DAY, time.time(), rows),
        )
    connection.close()


def fsyncs(path: Path) -> Iterator[float]:
    """Return how long the disk takes to write a page, several times."""
    with path.open("wb") as file:
        for _ in range(300):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            yield time.perf_counter() - started


def row(name: str, seconds: list[float], whole: float) -> str:
    """Return a row of the table, in milliseconds."""
    ordered = sorted(value * 1000 for value in seconds)
    figures = statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]
    cells = " | ".join(f"{figure:.2f}" for figure in figures)
    return f"| {name} | {len(ordered)} | {cells} | {whole:.1f} s |"


def main() -> None:
    """Measure a journal of `--rows` executions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    print("| Job | Parts | Median, ms | p99, ms | Longest, ms | Whole |\n|---|---|---|---|---|---|")
    asyncio.run(measure(parser.parse_args().rows))


if __name__ == "__main__":
    main()
