"""Accepting calls."""

from typing import Any

from psycopg.pq.abc import PGresult

from vertexkit.errors import JournalUnavailable, QueueFull
from vertexkit.execution import Execution
from vertexkit.journal.encryption import Cipher
from vertexkit.journal.postgres.acceptance_statements import (
    ACCEPT,
    ACCEPT_UNIQUE,
    FIND_DUPLICATED,
    FIND_DUPLICATED_UNIQUE,
)
from vertexkit.journal.postgres.arrays import (
    fits_bigint,
    read_bigint,
    read_boolean,
)
from vertexkit.journal.postgres.writer import Writer
from vertexkit.journal.protocol import Acceptance
from vertexkit.journal.state.storable import encode_inputs, storable_execution

TRIES = 3
"""How often an acceptance is tried if the execution that it repeats ends at the same moment."""


async def accept(
    writer: Writer, execution: Execution, room: int, cipher: Cipher, *, unique: bool
) -> Acceptance:
    """Store a new execution, unless its call is a duplicate; see `Journal.accept`."""
    key = cipher.fingerprint(storable_execution(execution).key)
    row = _row(execution, key, room, cipher)
    for _ in range(TRIES):
        follows = await writer.write(
            ACCEPT_UNIQUE if unique else ACCEPT, row, power=True, optional=True
        )
        if follows is not None:
            return Acceptance(execution.id, new=True, supersedes=follows or None)
        found: PGresult = await writer.write(
            FIND_DUPLICATED_UNIQUE if unique else FIND_DUPLICATED, (key,), power=True, optional=True
        )
        latest = found.get_value(0, 0)
        if latest is not None and not read_boolean(found.get_value(0, 1)):
            return Acceptance(latest.decode(), new=False)
        if read_bigint(found.get_value(0, 2) or b"") >= room:
            raise QueueFull(f"{room} executions are waiting, which is the limit")
    raise JournalUnavailable("the call was repeated at the moment at which its execution ended")


def _row(execution: Execution, key: bytes, room: int, cipher: Cipher) -> tuple[Any, ...]:
    """Return the row of ACCEPT."""
    name = execution.id
    claims = execution.token.claims
    return (
        execution.id,
        execution.block,
        key,
        None if claims is None else fits_bigint(claims.dialog_id),
        execution.accepted_at,
        room,
        execution.trace,
        execution.limit_key,
        cipher.seal(f"token {name}", execution.token.reveal().encode()),
        cipher.seal(f"inputs {name}", encode_inputs(execution)),
        cipher.seal(f"raw {name}", execution.raw),
    )
