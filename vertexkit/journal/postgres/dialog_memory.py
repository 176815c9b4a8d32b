"""The memories of dialogs in the database."""

from secrets import randbelow

from psycopg.pq.abc import PGresult

from vertexkit.errors import Fenced
from vertexkit.execution import Effect
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.encryption import Cipher, memory_place
from vertexkit.journal.postgres.arrays import (
    BIGINT,
    BYTES,
    DOUBLE,
    TEXT,
    read_bigint,
    read_boolean,
)
from vertexkit.journal.postgres.statements import statement
from vertexkit.journal.protocol import Lease
from vertexkit.journal.state.storable import storable_effect

READ_MEMORY = statement(
    "read_memory",
    """
SELECT value, version, changed_at <= {now} - $4 FROM vertexkit.memories
WHERE instance = $2 AND dialog = $3
""",
    *(TEXT, BIGINT, DOUBLE),
)
WRITE_MEMORY = statement(
    "write_memory",
    """
WITH held AS MATERIALIZED (
    SELECT FROM vertexkit.executions WHERE id = $2 AND epoch = $3 AND worker = $4 FOR UPDATE
), made AS (
    SELECT FROM vertexkit.effects
    WHERE execution = $2 AND position = $5 AND kind = $6 AND state = 'confirmed'
), changed AS (
    INSERT INTO vertexkit.memories AS earlier (instance, dialog, version, changed_at, value)
    SELECT $7, $8, $10, {now}, $11 FROM held
    WHERE NOT EXISTS (SELECT FROM made) AND ($9 = 0 OR EXISTS (
        SELECT FROM vertexkit.memories WHERE instance = $7 AND dialog = $8 AND version = $9))
    ON CONFLICT (dialog, instance) DO UPDATE
    SET version = excluded.version, changed_at = excluded.changed_at, value = excluded.value
    WHERE earlier.version = $9
    RETURNING version
), written AS (
    INSERT INTO vertexkit.effects AS earlier
        (execution, position, kind, digest, state, value, began, ended)
    SELECT $2, $5, $6, '', 'confirmed', '', {now}, {now} FROM changed
    ON CONFLICT (execution, position) DO UPDATE
    SET kind = excluded.kind, digest = excluded.digest, state = excluded.state,
        value = excluded.value, ended = excluded.ended
)
SELECT count(*), EXISTS (SELECT FROM changed) OR EXISTS (SELECT FROM made) FROM held
""",
    *(TEXT, BIGINT, TEXT, BIGINT, TEXT, TEXT, BIGINT, BIGINT, BIGINT, BYTES),
)
"""A repetition whose first try was committed finds its effect, and changes nothing again."""
LARGEST_VERSION = (1 << 63) - 1
MEMORY_STATEMENTS = (READ_MEMORY, WRITE_MEMORY)


def read_values(key: DialogKey, retention: float) -> tuple[str, int, float]:
    """Return the values of READ_MEMORY."""
    return key.instance, key.dialog, retention


def memory_of(found: PGresult, key: DialogKey, cipher: Cipher) -> DialogMemory:
    """Read the result of READ_MEMORY."""
    if not found.ntuples:
        return DialogMemory()
    value, version = found.get_value(0, 0) or b"", read_bigint(found.get_value(0, 1) or b"")
    is_expired = read_boolean(found.get_value(0, 2))
    return DialogMemory(b"" if is_expired else cipher.open(memory_place(key), value), version)


def new_version() -> int:
    """Return a version for a change, which is known also if the answer to its commit is lost."""
    return 1 + randbelow(LARGEST_VERSION)


def write_values(
    lease: Lease,
    effect: Effect,
    key: DialogKey,
    memory: DialogMemory,
    version: int,
    cipher: Cipher,
) -> tuple[str | int | bytes, ...]:
    """Return the values of WRITE_MEMORY."""
    effect = storable_effect(effect)
    held = (lease.execution.id, lease.epoch, lease.worker, effect.position, effect.kind)
    stored = cipher.seal(memory_place(key), memory.values)
    return (*held, key.instance, key.dialog, memory.version, version, stored)


def is_written(written: PGresult, lease: Lease) -> bool:
    """Read the result of WRITE_MEMORY.

    Raises:
        Fenced: the lease is not valid any more.
    """
    if not read_bigint(written.get_value(0, 0) or b""):
        raise Fenced(f"execution {lease.execution.id} is no longer held by this worker")
    return read_boolean(written.get_value(0, 1))
