"""The schema: created and changed under a lock, by a role that may; used by one that may do less."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.memory_values import remember
from tests.postgres_server import PostgresServer
from vertexkit.errors import JournalUnusable
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal import make_journal
from vertexkit.journal.admin import open_admin
from vertexkit.journal.postgres.schema import MIGRATIONS
from vertexkit.journal.protocol import JournalBackend, NullJournalObserver, Query
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

NAMES = count()
ENDED_UNDER_VERSION_1 = """
INSERT INTO vertexkit.executions (id, block, queue, key, accepted_at, phase, due_at, code, ending,
    confirmed_by, reason, ended_at, token, inputs, raw)
VALUES ('{0}', 'loan', 'loan', sha256('{0}'), 1, 'settled', 1, 'unreachable', 'parked',
    '', 'again', extract(epoch FROM now()), 'token', '{{}}', '{{}}')
"""
MANUAL = Path(__file__).parents[3] / "docs" / "postgresql.md"
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of an empty database."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    name = f"schema_{next(NAMES)}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    yield name
    postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")


def journal_in(server: PostgresServer, database: str, user: str = "postgres") -> JournalBackend:
    return make_journal(JournalSettings(url=server.url(database, user)), VirtualClock())


async def test_processes_that_start_at_once_create_one_schema(
    postgres_server: PostgresServer, database: str
) -> None:
    """Several processes start for the first time: one creates the tables, the others wait for it."""
    journals = [journal_in(postgres_server, database) for _ in range(4)]
    await asyncio.gather(*(journal.open(NullJournalObserver()) for journal in journals))
    for journal in journals:
        await journal.close()
    assert postgres_server.sql("SELECT version FROM vertexkit.journal", database=database) == "2"
    assert "nothing to do" in await journals[0].migrate()


async def test_the_check_changes_nothing(postgres_server: PostgresServer, database: str) -> None:
    """The check says what opening would do, before and after the schema is there."""
    journal = journal_in(postgres_server, database)
    assert "will be created" in journal.check()
    found = "SELECT count(*) FROM pg_namespace WHERE nspname = 'vertexkit'"
    assert postgres_server.sql(found, database=database) == "0"
    assert "from version 0 to 2" in await journal.migrate()
    assert journal.check().endswith("has the schema, version 2")


async def test_a_command_creates_no_schema(postgres_server: PostgresServer, database: str) -> None:
    """A command for operators reads a journal; it does not create one."""
    settings = JournalSettings(url=postgres_server.url(database))
    async with open_admin(settings, VirtualClock()) as journal:
        with pytest.raises(JournalUnusable, match="no schema for the journal"):
            await journal.find("0" * 22)


async def test_a_newer_schema_is_refused(postgres_server: PostgresServer, database: str) -> None:
    """A schema that a newer vertexkit has changed is not used, and not changed back."""
    journal = journal_in(postgres_server, database)
    await journal.migrate()
    postgres_server.sql("UPDATE vertexkit.journal SET version = 99", database=database)
    for use in (lambda: journal.open(NullJournalObserver()), journal.migrate):
        with pytest.raises(JournalUnusable, match="has version 99, and this vertexkit knows"):
            await use()
    with pytest.raises(JournalUnusable, match="install the vertexkit that has changed it"):
        journal.check()


async def test_a_schema_of_the_previous_version_is_migrated_under_running_processes(
    postgres_server: PostgresServer, database: str
) -> None:
    """Executions keep what they have; what processes of that version write afterwards is read too."""
    journal = journal_in(postgres_server, database)
    earlier, later = f"{0:022x}", f"{1:022x}"
    postgres_server.sql(
        f"CREATE SCHEMA vertexkit; {MIGRATIONS[0]}",
        "INSERT INTO vertexkit.journal (version) VALUES (1)",
        ENDED_UNDER_VERSION_1.format(earlier),
        database=database,
    )
    assert "will be created or changed to version 2" in journal.check()
    assert "from version 1 to 2" in await journal.migrate()
    postgres_server.sql(ENDED_UNDER_VERSION_1.format(later), database=database)
    await journal.open(NullJournalObserver())
    found = await journal.search(Query(code="unreachable"))
    outcomes = {record.execution: record.outcome for record in found}
    parked = Outcome(OutcomeStatus.PARKED, "unreachable", reason="again")
    assert outcomes == {earlier: parked, later: parked}
    await journal.retry(later, fresh=True)
    [lease] = await journal.claim("first", {"loan": 1}, 1)
    await journal.record_result(lease, Result(b"1"), completing=True)
    await journal.settle(lease, DONE)
    record = await journal.find(later)
    assert record is not None
    assert record.outcome == DONE
    await journal.close()


async def test_a_role_needs_no_more_than_the_manual_grants(
    postgres_server: PostgresServer, database: str
) -> None:
    """A role with the privileges of docs/postgresql.md, and no others, does all that a service does."""
    await journal_in(postgres_server, database).migrate()
    role = f"role_{database}"
    _, _, after = MANUAL.read_text(encoding="utf-8").partition("```sql\n")
    statements = after.partition("```")[0].replace("bots", role)
    postgres_server.sql(statements, database=database)
    clock = VirtualClock()
    settings = JournalSettings(url=postgres_server.url(database, role), tokens="unique")
    driver = JournalDriver(make_journal(settings, clock), clock)
    assert "has the schema" in make_journal(settings, clock).check()
    await driver.journal.open(driver)
    lease = await driver.held()
    step = Effect(0, "step:a", "", EffectState.CONFIRMED, b"1")
    await driver.journal.record_effect(lease, step)
    await remember(driver, lease, "name", b"1")
    await driver.journal.record_result(lease, Result(b"1"), completing=True)
    await driver.journal.settle(lease, DONE)
    parked = await driver.held()
    await driver.journal.settle(parked, Outcome(OutcomeStatus.PARKED, "unreachable"))
    await driver.journal.retry(parked.execution.id, fresh=True)
    await driver.journal.drop(parked.execution.id)
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert record.phase is Phase.SETTLED
    async with asyncio.timeout(60):
        while not (workers := await driver.journal.workers()):  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.02)
    assert [worker.worker for worker in workers] == ["first"]
    await driver.journal.close()
    assert driver.lost_reasons == []


async def test_a_role_that_may_not_create_the_schema_is_named(
    postgres_server: PostgresServer, database: str
) -> None:
    """Without a schema, and without the right to create it, the error says who has to."""
    postgres_server.sql(f"CREATE ROLE poor_{database} LOGIN")
    journal = journal_in(postgres_server, database, f"poor_{database}")
    with pytest.raises(JournalUnusable, match=r"may not create it.*vertexkit journal migrate"):
        journal.check()
    with pytest.raises(JournalUnusable, match=r"may not change it.*vertexkit journal migrate"):
        await journal.open(NullJournalObserver())
