"""The memories of dialogs in the database."""

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
), changed AS (
    INSERT INTO vertexkit.memories AS earlier (instance, dialog, version, changed_at, value)
    SELECT $7, $8, 1 + floor(random() * 4611686018427387904)::bigint, {now}, $10 FROM held
    WHERE $9 = 0 OR EXISTS (
        SELECT FROM vertexkit.memories WHERE instance = $7 AND dialog = $8 AND version = $9)
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
SELECT count(*), (SELECT version FROM changed) FROM held
""",
    *(TEXT, BIGINT, TEXT, BIGINT, TEXT, TEXT, BIGINT, BIGINT, BYTES),
)
"""A repetition whose first try was committed finds another version, and changes nothing."""
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


def write_values(
    lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory, cipher: Cipher
) -> tuple[str | int | bytes, ...]:
    """Return the values of WRITE_MEMORY."""
    effect = storable_effect(effect)
    held = (lease.execution.id, lease.epoch, lease.worker, effect.position, effect.kind)
    stored = cipher.seal(memory_place(key), memory.values)
    return (*held, key.instance, key.dialog, memory.version, stored)


def new_version(written: PGresult, lease: Lease) -> int | None:
    """Read the result of WRITE_MEMORY.

    Raises:
        Fenced: the lease is not valid any more.
    """
    if not read_bigint(written.get_value(0, 0) or b""):
        raise Fenced(f"execution {lease.execution.id} is no longer held by this worker")
    version = written.get_value(0, 1)
    return None if version is None else read_bigint(version)
