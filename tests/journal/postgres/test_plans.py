"""How the server finds rows: by an index, however many unfinished executions and dead rows there are."""

import psycopg
import pytest

from tests.journal.postgres.opened import opened
from tests.postgres_server import PostgresServer
from vertexkit.journal.postgres.acceptance_statements import ACCEPT, FIND_DUPLICATED
from vertexkit.journal.postgres.statements import CLAIM, CONFIGURE, Statement

SET = "SELECT {}".format(
    CONFIGURE.sql.partition("SELECT")[2].replace("$1", "'on'").replace("true", "false")
)


def name_of_type(oid: int) -> str:
    info = psycopg.postgres.types[oid]
    return info.regtype + ("[]" if oid == info.array_oid else "")


@pytest.mark.parametrize("statement", [ACCEPT, FIND_DUPLICATED, CLAIM], ids=lambda s: s.name)
async def test_other_executions_of_a_call_are_found_by_their_key(
    postgres_server: PostgresServer, postgres_url: str, statement: Statement
) -> None:
    """An acceptance that reads all unfinished executions would be slower the more there are."""
    types = [name_of_type(codec.oid) for codec in statement.codecs]
    async with opened(postgres_server, "contract"):
        plan = postgres_server.sql(
            SET,
            "SET plan_cache_mode = force_generic_plan",
            f"PREPARE measured ({', '.join(types)}) AS {statement.sql}",
            f"EXPLAIN EXECUTE measured ({', '.join(['NULL'] * len(types))})",
            database="contract",
        )
    lines = plan.splitlines()
    for index in ("executions_by_key", "executions_accepting_duplicates"):
        [found] = [number for number, line in enumerate(lines) if f" {index} " in line]
        assert "Index Cond: (key = " in lines[found + 1], plan
