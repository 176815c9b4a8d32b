"""How much work the retention and searches do while other writes wait: counted, not timed."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from vertexkit.errors import OperationNotAllowed
from vertexkit.journal.protocol import NullJournalObserver, Query
from vertexkit.journal.sqlite.deletion import WORK_PER_STEP, delete_selected
from vertexkit.journal.sqlite.file import open_file
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.schema import PAGE_BYTES, SELECT_EXPIRED
from vertexkit.journal.sqlite.search import EFFECTS_PER_PART, RECORDS_PER_PART
from vertexkit.journal.sqlite.thread import JobThread
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

ROWS = 12_000
OLD, YOUNG = 1.0, 100 * 86_400.0
"""Ages at which executions ended; the journal is as old as the younger ones."""
MANY_EFFECTS, LARGE_CALL = 3_000, 200_000
"""Effects of execution 1, and bytes of the call of execution 2, which is parked."""
INSTRUCTIONS_PER_TICK = 100
MAX_INSTRUCTIONS = 60_000
"""Instructions of SQLite's virtual machine in one step; the whole table has millions."""
FILL = f"""
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS})
INSERT INTO executions (number, id, block, key, accepted_at, phase, code, ending, confirmed_by,
    reason, ended_at, ended_age, token, inputs, raw)
SELECT n, printf('%022x', n), iif(n % 2, 'loan', 'story'), randomblob(32), n, 'settled', 'ok',
    iif(n = 2 OR n % 3 = 0, 'parked', 'completed'), '204', '', n, iif(n <= 2 OR n % 3 = 1, {OLD}, {YOUNG}),
    iif(n = 2, 'token', NULL), iif(n = 2, CAST('{{}}' AS BLOB), NULL),
    iif(n = 2, randomblob({LARGE_CALL}), NULL)
FROM numbers
"""
FILL_EFFECTS = f"""
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY_EFFECTS} - 1)
INSERT INTO effects SELECT 1, n, 'send', 'abc', 'confirmed', CAST('{{}}' AS BLOB), 1, 1 FROM numbers
UNION ALL SELECT number, 0, 'send', 'abc', 'confirmed', CAST('{{}}' AS BLOB), 1, 1
FROM executions WHERE number > 1
"""


class Step:
    """What one job has done."""

    def __init__(self) -> None:
        self.ticks = 0
        self.rows = 0
        self.pages = 0

    @property
    def instructions(self) -> int:
        return self.ticks * INSTRUCTIONS_PER_TICK


class CountingThread(JobThread):
    """Counts the instructions, the changed rows and the freed pages of each job."""

    connection: sqlite3.Connection
    steps: list[Step]

    def put(self, job: Callable[[], Any], callback: Callable[..., Any]) -> None:
        def counted() -> Any:
            step, connection = Step(), self.connection
            rows, pages = connection.total_changes, free_pages(connection)

            def tick() -> int:
                step.ticks += 1
                return 0

            connection.set_progress_handler(tick, INSTRUCTIONS_PER_TICK)
            try:
                return job()
            finally:
                connection.set_progress_handler(None, 0)
                step.rows = connection.total_changes - rows
                step.pages = free_pages(connection) - pages
                self.steps.append(step)

        super().put(counted if hasattr(self, "connection") else job, callback)


def free_pages(connection: sqlite3.Connection) -> int:
    pages: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return pages


def fill(path: Path, clock: VirtualClock) -> None:
    open_file(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(FILL)
        connection.execute(FILL_EFFECTS)
        connection.execute(
            "UPDATE journal SET age = ?, saved_at = ?, last_number = ?", (YOUNG, clock.unix(), ROWS)
        )
    connection.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The closed file of a journal with many ended executions."""
    path = tmp_path_factory.mktemp("filled") / "journal.db"
    fill(path, VirtualClock())
    return path


@pytest.fixture
async def journal(tmp_path: Path, filled: Path) -> AsyncIterator[SqliteJournal]:
    """A journal with many ended executions, whose retention is not running."""
    clock = VirtualClock()
    shutil.copy(filled, tmp_path / "journal.db")
    settings = JournalSettings(retention=86_400.0, parked_retention=86_400.0)
    journal = SqliteJournal(tmp_path / "journal.db", clock, settings, CountingThread)
    await journal.open(NullJournalObserver())
    journal._retention._supervisor.cancel(journal._retention._task)
    yield journal
    await journal.close()


def counted(journal: SqliteJournal) -> list[Step]:
    """Return the list to which each further job is added."""
    runner = journal._writer._runner
    assert isinstance(runner, CountingThread)
    runner.steps = []
    runner.connection = journal._writer._connection
    return runner.steps


async def number_of_rows(journal: SqliteJournal, table: str = "executions") -> int:
    return await journal._writer.run(
        lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    )


async def test_a_step_of_the_retention_deletes_a_limited_number_of_rows_and_pages(
    journal: SqliteJournal,
) -> None:
    """However much is too old, however many effects an execution has, and however large it is."""
    left = await number_of_rows(journal, f"executions WHERE ended_age = {YOUNG}")
    steps = counted(journal)
    await journal._retention._delete_old()
    assert len(steps) > ROWS / 3 / WORK_PER_STEP
    assert max(step.rows for step in steps) <= WORK_PER_STEP + 2  # and the number of the last one
    assert max(step.instructions for step in steps) <= MAX_INSTRUCTIONS
    large = LARGE_CALL // PAGE_BYTES + 1
    assert max(step.pages for step in steps) <= WORK_PER_STEP + large
    assert await number_of_rows(journal) == left
    assert await number_of_rows(journal, "effects") == left


async def test_a_step_that_looks_for_a_surplus_is_limited(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where thousands of parked executions, which stay, are before those that may go."""
    monkeypatch.setattr("vertexkit.journal.sqlite.retention.MAX_ENDED_EXECUTIONS", 1000)
    await journal._writer.run(
        lambda connection: connection.execute(
            "UPDATE executions SET ending = 'parked' WHERE number BETWEEN 10 AND 9000"
        )
    )
    steps = counted(journal)
    await journal._retention._delete_surplus()
    assert max(step.rows for step in steps) <= WORK_PER_STEP + 2
    assert max(step.instructions for step in steps) <= MAX_INSTRUCTIONS
    gone = f"number <= {ROWS} - 1000 AND ending <> 'parked'"
    assert await number_of_rows(journal, f"executions WHERE {gone}") == 0
    assert await number_of_rows(journal, f"executions WHERE number > {ROWS} - 1000") == 1000
    steps.clear()
    await journal._retention._delete_surplus()
    assert len(steps) == 1  # what was looked at is not looked at again


FOUND = 400
"""Most executions of a search, which several parts read."""
QUERIES = {
    "the newest": Query(limit=FOUND),
    "none": Query(code="no such code", limit=FOUND),
    "a block": Query(block="loan", limit=FOUND),
    "a status": Query(status="parked", limit=FOUND),  # pyrefly: ignore[bad-argument-type]
    "the start of every id": Query(prefix="0000", limit=FOUND),
    "the start of every id, and none": Query(prefix="0000", code="no such code", limit=FOUND),
    "the start of one id": Query(prefix=f"{1:022x}"),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
async def test_a_part_of_a_search_reads_a_limited_number_of_executions(
    journal: SqliteJournal, query: Query
) -> None:
    """Whatever it asks for; an execution with thousands of effects is read on its own."""
    steps = counted(journal)
    found = await journal.search(query)
    assert all(step.instructions <= MAX_INSTRUCTIONS for step in steps)
    assert len(steps) >= len(found) / RECORDS_PER_PART
    numbers = [int(record.execution, 16) for record in found]
    assert numbers == sorted(numbers, reverse=True)
    expected = [
        number
        for number in range(ROWS, 0, -1)
        if query.code is None
        and (query.block is None or number % 2 == 1)
        and (query.status is None or number == 2 or number % 3 == 0)
        and f"{number:022x}".startswith(query.prefix or "")
    ]
    assert numbers == expected[: query.limit]


async def test_a_part_of_a_search_reads_a_limited_number_of_effects(
    journal: SqliteJournal,
) -> None:
    """Executions with many effects are read in more parts."""
    await journal._writer.run(
        lambda connection: connection.execute(
            "INSERT INTO effects SELECT number, column1, 'send', '', 'confirmed', NULL, 1, 1 "
            f"FROM executions, (VALUES {', '.join(f'({n})' for n in range(1, 100))}) "
            "WHERE number > ?",
            (ROWS - 50,),
        )
    )
    steps = counted(journal)
    found = await journal.search(Query(limit=50))
    effects = sum(len(record.effects) for record in found)
    assert effects == 50 * 100
    assert len(steps) == effects / EFFECTS_PER_PART


async def test_an_execution_that_is_partly_deleted_cannot_run_again(
    journal: SqliteJournal,
) -> None:
    """Its call is erased first: a run without its effects would send messages again."""
    await journal._writer.run(
        lambda connection: connection.execute(
            "UPDATE executions SET ending = 'parked', confirmed_by = '', token = 't', "
            "raw = x'7b7d', inputs = x'7b7d', ended_age = 0 WHERE number = 1"
        )
    )
    name = f"{1:022x}"
    record = await journal.find(name)
    assert record is not None
    assert record.retryable
    await journal._writer.run(
        lambda connection: delete_selected(connection, SELECT_EXPIRED, ("parked", 1.0))
    )
    record = await journal.find(name)
    assert record is not None
    assert 0 < len(record.effects) < MANY_EFFECTS
    assert not record.retryable
    with pytest.raises(OperationNotAllowed):
        await journal.retry(name)
