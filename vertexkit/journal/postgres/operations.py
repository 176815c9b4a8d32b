"""Operators' changes: retrying and dropping executions, each in a transaction."""

from psycopg.errors import UniqueViolation

from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Phase
from vertexkit.failure import Failure
from vertexkit.journal.dialog_memory import DialogKey, Forgotten, MemoryRecord
from vertexkit.journal.encryption import Cipher, seal_effect, seal_text
from vertexkit.journal.postgres.durability import durable_transaction
from vertexkit.journal.postgres.monitor import NOTIFY
from vertexkit.journal.postgres.queries import TIME, Reading, read_one
from vertexkit.journal.postgres.statements import is_unfinished, unfinished_of
from vertexkit.journal.protocol import Record
from vertexkit.journal.state.operations import (
    DROPPED,
    refuse_to_forget,
    why_not_dropped,
    why_not_retried,
)
from vertexkit.journal.state.row import assumed_sent

LOCK = "SELECT key FROM vertexkit.executions WHERE id = %s FOR UPDATE"
OTHER = f"""
SELECT id FROM {unfinished_of("%(key)s")} AS other ORDER BY number DESC LIMIT 1
"""
EVENT = f"""
coalesce(history, '[]') || jsonb_build_array(jsonb_build_array({TIME}, %(event)s::text, ''))
"""
REVIVE = f"""
UPDATE vertexkit.executions
SET phase = 'waiting', attempts = 0, ran = 0, woken = false, completion_tries = 0, superseded = false, worker = '',
    epoch = epoch + 1, due_at = {TIME}, history = {EVENT},
    queue = CASE WHEN %(fresh)s OR result IS NULL
        THEN coalesce(block || '#' || limit_key, block) ELSE '' END,
    result = CASE WHEN %(fresh)s THEN NULL ELSE result END,
    code = CASE WHEN %(fresh)s OR result IS NULL THEN NULL ELSE code END, ending_code = NULL,
    completion_tried = completion_tried AND NOT %(fresh)s,
    ending = NULL, confirmed_by = NULL, reason = NULL, ended_at = NULL
WHERE id = %(id)s
"""
DELETE_EFFECTS = "DELETE FROM vertexkit.effects WHERE execution = %s"
DELETE_OWN_EFFECTS = f"{DELETE_EFFECTS} AND kind NOT LIKE 'event:%%'"
"""All but the events from outside."""
ASSUME_SENT = """
UPDATE vertexkit.effects SET state = %s, digest = %s, value = %s
WHERE execution = %s AND position = %s
"""
DELETE = "DELETE FROM vertexkit.executions WHERE id = %s"
FAIL = f"""
UPDATE vertexkit.executions
SET phase = 'waiting', queue = '', result = %(result)s, code = %(code)s, result_recorded_at = {TIME},
    due_at = {TIME}, worker = '', epoch = epoch + 1, history = {EVENT}
WHERE id = %(id)s
"""
PARK = f"""
UPDATE vertexkit.executions
SET phase = 'settled', worker = '', epoch = epoch + 1, ending = %(ending)s,
    ending_code = %(code)s, confirmed_by = %(confirmed_by)s, reason = %(reason)s, ended_at = {TIME}
WHERE id = %(id)s
"""
MEMORIES = """
SELECT instance, octet_length(value) AS size, changed_at FROM vertexkit.memories
WHERE dialog = %s AND value <> '' ORDER BY instance
"""
UNFINISHED = f"""
SELECT id FROM vertexkit.executions WHERE dialog = %s AND {is_unfinished("executions")} ORDER BY id
"""
FORGET_EFFECTS = """
DELETE FROM vertexkit.effects AS effect USING vertexkit.executions AS execution
WHERE execution.id = effect.execution AND execution.dialog = %s AND execution.phase = 'settled'
"""
FORGET_EXECUTIONS = "DELETE FROM vertexkit.executions WHERE dialog = %s AND phase = 'settled'"
FORGET_MEMORIES = "DELETE FROM vertexkit.memories WHERE dialog = %s"
IS_HELD = f"""
SELECT worker <> '' AND due_at > {TIME} AS held FROM vertexkit.executions WHERE id = %(id)s
"""


async def retry(
    connection: Reading, execution: str, ahead: float, cipher: Cipher, *, fresh: bool
) -> Record:
    """Make a parked execution claimable again; see `JournalAdmin.retry`."""
    try:
        async with durable_transaction(connection):
            key, record = await _locked(connection, execution, ahead, cipher)
            if record is None or not record.retryable or record.outcome is None:
                raise OperationNotAllowed(why_not_retried(execution, record))
            other = await (await connection.execute(OTHER.encode(), {"key": key})).fetchone()
            if other is not None:
                raise _repeated(other["id"])
            values = {
                "ahead": ahead,
                "id": execution,
                "fresh": fresh,
                "event": "retried_by_operator",
            }
            await connection.execute(REVIVE.encode(), values)
            if fresh:
                await connection.execute(DELETE_OWN_EFFECTS.encode(), (execution,))
            else:  # the operator has accepted that messages of unknown delivery are not sent again
                await _assume_sent(connection, record, cipher)
            await connection.execute(NOTIFY)
    except UniqueViolation:  # at this moment
        raise _repeated("another execution") from None
    return await _read(connection, execution, ahead, cipher)


async def _assume_sent(connection: Reading, record: Record, cipher: Cipher) -> None:
    for effect in record.effects:
        if (assumed := assumed_sent(effect)) is not effect:
            digest, value = seal_effect(cipher, record.execution, assumed)
            values = (assumed.state, digest, value, record.execution, effect.position)
            await connection.execute(ASSUME_SENT, values)


async def drop(connection: Reading, execution: str, ahead: float, cipher: Cipher) -> Record:
    """Give up an execution; see `JournalAdmin.drop`."""
    async with durable_transaction(connection):
        _, record = await _locked(connection, execution, ahead, cipher)
        if record is None or (record.phase is Phase.SETTLED and not record.retryable):
            raise OperationNotAllowed(why_not_dropped(execution, record))
        if record.phase is Phase.SETTLED:
            await connection.execute(DELETE_EFFECTS, (execution,))
            await connection.execute(DELETE, (execution,))
            return record
        values: dict[str, object] = {"ahead": ahead, "id": execution}
        held = await (await connection.execute(IS_HELD.encode(), values)).fetchone()
        if held is not None and held["held"]:
            raise OperationNotAllowed(
                f"{execution} is running: wait until it ends, or stop the service"
            )
        if record.result is not None:
            reason = seal_text(cipher, f"reason {execution}", DROPPED.reason)
            ending = {"ending": DROPPED.status, "code": DROPPED.code, "reason": reason}
            values |= {**ending, "confirmed_by": DROPPED.confirmed_by}
            await connection.execute(PARK.encode(), values)
        else:
            result = Failure("dropped").result()
            event = "dropped_by_operator"
            data = cipher.seal(f"result {execution}", result.data)
            values |= {"result": data, "code": result.code, "event": event}
            await connection.execute(FAIL.encode(), values)
        await connection.execute(NOTIFY)
    return await _read(connection, execution, ahead, cipher)


async def read_memories(connection: Reading, dialog: int) -> list[MemoryRecord]:
    """Read the memories of the dialogs with a number; see `JournalAdmin.memories`."""
    rows = await (await connection.execute(MEMORIES, (dialog,))).fetchall()
    return [
        MemoryRecord(DialogKey(row["instance"], dialog), row["size"], row["changed_at"])
        for row in rows
    ]


async def forget(connection: Reading, dialog: int) -> Forgotten:
    """Erase the executions and the memories of a dialog; see `JournalAdmin.forget`."""
    async with durable_transaction(connection):
        found = await connection.execute(UNFINISHED.encode(), (dialog,))
        refuse_to_forget(dialog, [row["id"] for row in await found.fetchall()])
        await connection.execute(FORGET_EFFECTS, (dialog,))
        executions = await connection.execute(FORGET_EXECUTIONS, (dialog,))
        memories = await connection.execute(FORGET_MEMORIES, (dialog,))
    return Forgotten(executions.rowcount, memories.rowcount)


async def _locked(
    connection: Reading, execution: str, ahead: float, cipher: Cipher
) -> tuple[bytes, Record | None]:
    """Lock an execution's row; return its key, and the execution."""
    row = await (await connection.execute(LOCK, (execution,))).fetchone()
    if row is None:
        return b"", None
    return row["key"], await read_one(connection, execution, ahead, cipher)


async def _read(connection: Reading, execution: str, ahead: float, cipher: Cipher) -> Record:
    record = await read_one(connection, execution, ahead, cipher)
    if record is None:
        raise OperationNotAllowed(f"there is no execution {execution} in the journal")
    return record


def _repeated(other: str) -> OperationNotAllowed:
    return OperationNotAllowed(f"the platform has repeated this call, and {other} executes it")
