"""Sealing the values of the database again, in parts: each is a transaction."""

from pydantic_core import from_json

from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.journal.encryption import (
    Cipher,
    JournalKeys,
    Rekeyed,
    memory_place,
    open_marked_text,
    reseal,
    reseal_effect,
    reseal_text,
    seal_text,
)
from vertexkit.journal.postgres.durability import durable_transaction
from vertexkit.journal.postgres.header import READ_HEADER, WRITE_HEADER
from vertexkit.journal.postgres.queries import Reading

ROWS_PER_PART = 100
MEMORIES = "memories"
"""Where the part after the executions starts."""
FIRST_MEMORY = f"{MEMORIES} /{-(1 << 63)}"
READ_EXECUTIONS = """
SELECT id, token, inputs, raw, result, reason, history::text AS history FROM vertexkit.executions
WHERE id > %s ORDER BY id LIMIT %s FOR UPDATE
"""
WRITE_EXECUTION = """
UPDATE vertexkit.executions
SET token = %s, inputs = %s, raw = %s, result = %s, reason = %s WHERE id = %s
"""
WRITE_DETAIL = """
UPDATE vertexkit.executions SET history = jsonb_set(history, %s, to_jsonb(%s::text))
WHERE id = %s
"""
READ_EFFECTS = """
SELECT position, kind, digest, value FROM vertexkit.effects WHERE execution = %s
"""
WRITE_EFFECT = """
UPDATE vertexkit.effects SET digest = %s, value = %s WHERE execution = %s AND position = %s
"""
READ_MEMORIES = """
SELECT dialog, instance, value FROM vertexkit.memories WHERE (dialog, instance) > (%s, %s)
ORDER BY dialog, instance LIMIT %s FOR UPDATE
"""
WRITE_MEMORY = "UPDATE vertexkit.memories SET value = %s WHERE dialog = %s AND instance = %s"


async def rekey_part(connection: Reading, keys: JournalKeys, cipher: Cipher, after: str) -> Rekeyed:
    """Seal the values of some rows with the newest key; see `JournalAdmin.rekey`."""
    async with durable_transaction(connection):
        if after.startswith(MEMORIES):
            key = DialogKey.parse(after.removeprefix(f"{MEMORIES} "))
            return await _memories(connection, keys, cipher, key)
        return await _executions(connection, cipher, after)


async def _executions(connection: Reading, cipher: Cipher, after: str) -> Rekeyed:
    cursor = await connection.execute(READ_EXECUTIONS, (after, ROWS_PER_PART))
    found = await cursor.fetchall()
    for row in found:
        name = row["id"]
        columns = ("token", "inputs", "raw", "result")
        values = [reseal(cipher, f"{column} {name}", row[column]) for column in columns]
        reason = reseal_text(cipher, f"reason {name}", row["reason"])
        await connection.execute(WRITE_EXECUTION, (*values, reason, name))
        await _history(connection, cipher, name, row["history"])
        await _effects(connection, cipher, name)
    if len(found) < ROWS_PER_PART:
        return Rekeyed(len(found), FIRST_MEMORY)
    return Rekeyed(len(found), found[-1]["id"])


async def _history(connection: Reading, cipher: Cipher, name: str, history: str | None) -> None:
    """Seal the reasons that authors have given, which are the only sealed texts of the history."""
    place = f"history {name}"
    for number, (_, event, detail) in enumerate(from_json(history or "[]")):
        if event == "retried" and detail:
            sealed = seal_text(cipher, place, open_marked_text(cipher, place, detail))
            path = [str(number), "2"]
            await connection.execute(WRITE_DETAIL, (path, sealed, name))


async def _effects(connection: Reading, cipher: Cipher, name: str) -> None:
    for row in await (await connection.execute(READ_EFFECTS, (name,))).fetchall():
        effect = (row["position"], row["kind"])
        stored = reseal_effect(cipher, name, effect, row["digest"], row["value"])
        await connection.execute(WRITE_EFFECT, (*stored, name, row["position"]))


async def _memories(
    connection: Reading, keys: JournalKeys, cipher: Cipher, after: DialogKey
) -> Rekeyed:
    place = (after.dialog, after.instance, ROWS_PER_PART)
    found = await (await connection.execute(READ_MEMORIES, place)).fetchall()
    for row in found:
        key = DialogKey(row["instance"], row["dialog"])
        value = reseal(cipher, memory_place(key), row["value"])
        await connection.execute(WRITE_MEMORY, (value, key.dialog, key.instance))
    if len(found) == ROWS_PER_PART:
        last = DialogKey(found[-1]["instance"], found[-1]["dialog"])
        return Rekeyed(len(found), f"{MEMORIES} {last}")
    header = await (await connection.execute(READ_HEADER)).fetchone()
    if header is not None:
        await connection.execute(WRITE_HEADER, (keys.rekeyed_header(header["header"]),))
    return Rekeyed(len(found), "")
