"""Sealing the values of a file again, in parts: commits are in between."""

from typing import Any

from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.journal.encryption import (
    JournalKeys,
    Rekeyed,
    memory_place,
    reseal,
    reseal_effect,
    reseal_text,
)
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.header import read_header, write_header

ROWS_PER_PART = 100
MEMORIES = "memories"
"""Where the part after the executions starts."""
READ_EXECUTIONS = """
SELECT number, id, token, inputs, raw, result, reason, history FROM executions
WHERE number > ? ORDER BY number LIMIT ?
"""
WRITE_EXECUTION = """
UPDATE executions SET token = ?, inputs = ?, raw = ?, result = ?, reason = ?, history = ?
WHERE number = ?
"""
READ_EFFECTS = "SELECT position, kind, digest, value FROM effects WHERE execution = ?"
WRITE_EFFECT = "UPDATE effects SET digest = ?, value = ? WHERE execution = ? AND position = ?"
READ_MEMORIES = """
SELECT dialog, instance, value FROM memories WHERE (dialog, instance) > (?, ?)
ORDER BY dialog, instance LIMIT ?
"""
WRITE_MEMORY = "UPDATE memories SET value = ? WHERE dialog = ? AND instance = ?"
FIRST_MEMORY = f"{MEMORIES} /{-(1 << 63)}"


def rekey_part(connection: JournalConnection, keys: JournalKeys, after: str) -> Rekeyed:
    """Seal the values of some rows with the newest key; see `JournalAdmin.rekey`.

    Args:
        connection: outside of a transaction.
        keys: of the process.
        after: where the previous part ended; empty: from the start.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if after.startswith(MEMORIES):
            key = DialogKey.parse(after.removeprefix(f"{MEMORIES} "))
            rekeyed = _memories(connection, keys, key)
        else:
            rekeyed = _executions(connection, int(after or 0))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return rekeyed


def _executions(connection: JournalConnection, after: int) -> Rekeyed:
    found = connection.execute(READ_EXECUTIONS, (after, ROWS_PER_PART)).fetchall()
    for line in found:
        cipher, name = connection.cipher, line["id"]
        values = (
            reseal_text(cipher, f"token {name}", line["token"]),
            *(reseal(cipher, f"{what} {name}", line[what]) for what in ("inputs", "raw", "result")),
            reseal_text(cipher, f"reason {name}", line["reason"]),
            reseal_text(cipher, f"history {name}", line["history"]),
        )
        connection.execute(WRITE_EXECUTION, (*values, line["number"]))
        _effects(connection, line["number"], name)
    if len(found) < ROWS_PER_PART:
        return Rekeyed(len(found), FIRST_MEMORY)
    return Rekeyed(len(found), str(found[-1]["number"]))


def _effects(connection: JournalConnection, number: int, name: str) -> None:
    for line in connection.execute(READ_EFFECTS, (number,)).fetchall():
        effect: tuple[Any, Any] = (line["position"], line["kind"])
        stored = reseal_effect(connection.cipher, name, effect, line["digest"], line["value"])
        connection.execute(WRITE_EFFECT, (*stored, number, line["position"]))


def _memories(connection: JournalConnection, keys: JournalKeys, after: DialogKey) -> Rekeyed:
    place = (after.dialog, after.instance, ROWS_PER_PART)
    found = connection.execute(READ_MEMORIES, place).fetchall()
    for line in found:
        key = DialogKey(line["instance"], line["dialog"])
        value = reseal(connection.cipher, memory_place(key), line["value"])
        connection.execute(WRITE_MEMORY, (value, key.dialog, key.instance))
    if len(found) == ROWS_PER_PART:
        last = DialogKey(found[-1]["instance"], found[-1]["dialog"])
        return Rekeyed(len(found), f"{MEMORIES} {last}")
    header = read_header(connection)
    if header is not None:
        write_header(connection, keys.rekeyed_header(header))
    return Rekeyed(len(found), "")
