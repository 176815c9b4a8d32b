"""How the server finds rows: by an index, however many unfinished executions and dead rows there are."""

import asyncio

import psycopg
import pytest

from tests.postgres_server import PostgresServer
from vertexkit.journal import make_journal
from vertexkit.journal.postgres.acceptance_statements import ACCEPT, FIND_DUPLICATED
from vertexkit.journal.postgres.limits import CLAIM_LIMITED
from vertexkit.journal.postgres.statements import CLAIM, CONFIGURE, POLL, Statement
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

SET = "SELECT {}".format(
    CONFIGURE.sql.partition("SELECT")[2].replace("$1", "'on'").replace("true", "false")
)


def name_of_type(oid: int) -> str:
    info = psycopg.postgres.types[oid]
    return info.regtype + ("[]" if oid == info.array_oid else "")


ALL_HAVE_ENDED = (
    """INSERT INTO vertexkit.executions
    (id, block, queue, key, accepted_at, due_at, phase, completion_tried, ending)
    SELECT number::text, 'loan', 'loan', number::text::bytea, 1, 1, 'settled', true, 'completed'
    FROM generate_series(1, 300) AS number""",
    "ANALYZE vertexkit.executions",
)


@pytest.fixture
def schema(postgres_url: str) -> None:
    """The database has its tables, which are empty."""
    asyncio.run(make_journal(JournalSettings(url=postgres_url), VirtualClock()).migrate())


def plan_of(statement: Statement, server: PostgresServer, *before: str) -> list[str]:
    """Return the lines of the plan for parameters that are not known."""
    types = [name_of_type(codec.oid) for codec in statement.codecs]
    plan = server.sql(
        *before,
        SET,
        "SET plan_cache_mode = force_generic_plan",
        f"PREPARE measured ({', '.join(types)}) AS {statement.sql}",
        f"EXPLAIN EXECUTE measured ({', '.join(['NULL'] * len(types))})",
        database="contract",
    )
    return plan.splitlines()


@pytest.mark.parametrize("before", [(), ALL_HAVE_ENDED], ids=["empty", "all have ended"])
@pytest.mark.parametrize("statement", [ACCEPT, FIND_DUPLICATED, CLAIM], ids=lambda s: s.name)
@pytest.mark.usefixtures("schema")
def test_other_executions_of_a_call_are_found_by_their_key(
    postgres_server: PostgresServer,
    statement: Statement,
    before: tuple[str, ...],
) -> None:
    """An acceptance that reads all unfinished executions would be slower the more there are.

    While the statistics say that none is unfinished, each index seems equally suitable.
    """
    plan = plan_of(statement, postgres_server, *before)
    for index in ("executions_by_key", "executions_accepting_duplicates"):
        found = [number for number, line in enumerate(plan) if f" {index} " in line]
        assert len(found) == 1, "\n".join(plan)
        assert "Index Cond: (key = " in plan[found[0] + 1], "\n".join(plan)


@pytest.mark.parametrize("before", [(), ALL_HAVE_ENDED], ids=["empty", "all have ended"])
@pytest.mark.parametrize(
    "statement, condition",
    [(CLAIM, "queue = place.queue"), (CLAIM_LIMITED, "queue = free"), (POLL, None)],
    ids=["claim", "claim_limited", "poll"],
)
@pytest.mark.usefixtures("schema")
def test_unfinished_executions_are_found_by_their_queue(
    postgres_server: PostgresServer,
    statement: Statement,
    condition: str | None,
    before: tuple[str, ...],
) -> None:
    """Executions that have ended are not read, however many there are."""
    plan = plan_of(statement, postgres_server, *before)
    found = [number for number, line in enumerate(plan) if " executions_due " in line]
    assert found, "\n".join(plan)
    if condition is not None:
        conditions = [plan[number + 1] for number in found]
        assert any(condition in line for line in conditions), "\n".join(plan)
    scanned = [line for line in plan if "Seq Scan on executions" in line]
    assert not scanned, "\n".join(plan)
