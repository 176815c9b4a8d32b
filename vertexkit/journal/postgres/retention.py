"""Deletes ended executions that are too old or too many, in small transactions."""

from vertexkit.journal.postgres.arrays import BIGINT, DOUBLE, read_bigint, read_double
from vertexkit.journal.postgres.background import BackgroundConnection
from vertexkit.journal.postgres.limits import DELETE_STARTS
from vertexkit.journal.postgres.statements import Statement, statement
from vertexkit.settings import JournalSettings

MAX_ENDED_EXECUTIONS: int = 100_000
"""Ended executions that are kept, not counting the parked ones."""
DELETE_BATCH = 500
"""Most rows deleted in one transaction."""

SURPLUS = statement(
    "surplus",
    """
SELECT ended_at + 0 * $1 FROM vertexkit.executions WHERE phase = 'settled' AND ending <> 'parked'
ORDER BY vertexkit.executions.ended_at DESC OFFSET $2 LIMIT 1
""",
    BIGINT,
)


def _deletion(name: str, condition: str) -> Statement:
    return statement(
        name,
        f"""
WITH old AS MATERIALIZED (
    SELECT id FROM vertexkit.executions
    WHERE phase = 'settled' AND {condition} AND ended_at <= greatest($3, {{now}} - $2)
    ORDER BY ended_at LIMIT $4 FOR UPDATE SKIP LOCKED
), erased AS (
    DELETE FROM vertexkit.effects AS effect USING old WHERE effect.execution = old.id
), gone AS (
    DELETE FROM vertexkit.executions AS execution USING old WHERE execution.id = old.id
)
SELECT count(*) FROM old
""",
        *(DOUBLE, DOUBLE, BIGINT),
    )


DELETE_ENDED = _deletion("delete_ended", "ending <> 'parked'")
DELETE_PARKED = _deletion("delete_parked", "ending = 'parked'")
DELETE_TOKENS = statement(
    "delete_tokens",
    """
WITH old AS MATERIALIZED (
    SELECT key FROM vertexkit.tokens WHERE ended_at < {now} - 86400
    LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM vertexkit.tokens AS token USING old WHERE token.key = old.key
)
SELECT count(*) FROM old
""",
    BIGINT,
)
"""The number is `state.duplicates.DUPLICATE_SECONDS`."""
DELETE_MEMORIES = statement(
    "delete_memories",
    """
WITH old AS MATERIALIZED (
    SELECT dialog, instance FROM vertexkit.memories WHERE changed_at <= {now} - $2
    LIMIT $3 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM vertexkit.memories AS memory USING old
    WHERE memory.dialog = old.dialog AND memory.instance = old.instance
)
SELECT count(*) FROM old
""",
    *(DOUBLE, BIGINT),
)


async def delete_old(connection: BackgroundConnection, settings: JournalSettings) -> None:
    """Delete what is too old, and the oldest executions if there are too many.

    Several processes may do this at once: each skips what another one is deleting.

    Args:
        connection: to the database.
        settings: of the journal; how long what is kept.

    Raises:
        ConnectionLost: the database cannot be asked.
    """
    found = await connection.run(SURPLUS, MAX_ENDED_EXECUTIONS)
    surplus = read_double(found.get_value(0, 0) or b"") if found.ntuples else 0.0
    await _repeat(connection, DELETE_ENDED, settings.retention, surplus)
    await _repeat(connection, DELETE_PARKED, settings.parked_retention, 0.0)
    await _repeat(connection, DELETE_TOKENS)
    await _repeat(connection, DELETE_MEMORIES, settings.memory_retention)
    await connection.run(DELETE_STARTS)


async def _repeat(connection: BackgroundConnection, deletion: Statement, *values: float) -> None:
    """Delete in parts until nothing is left to delete; other writes are in between."""
    deleted = DELETE_BATCH
    while deleted == DELETE_BATCH:
        result = await connection.run(deletion, *values, DELETE_BATCH)
        deleted = read_bigint(result.get_value(0, 0) or b"")
