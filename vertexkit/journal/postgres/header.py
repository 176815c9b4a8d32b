"""The header of an encrypted journal: which keys its values may be sealed with."""

from typing import Any

import psycopg

from vertexkit.journal.encryption import PLAIN, Cipher, JournalKeys, check_unencrypted
from vertexkit.journal.postgres.schema import LOCK

READ_HEADER = "SELECT header FROM vertexkit.encryption"
WRITE_HEADER = """
INSERT INTO vertexkit.encryption (header) VALUES (%s)
ON CONFLICT (id) DO UPDATE SET header = excluded.header
"""
TAKE_LOCK = "SELECT pg_advisory_xact_lock(%s)"
HAS_VALUES = """
SELECT EXISTS (SELECT FROM vertexkit.executions) OR EXISTS (SELECT FROM vertexkit.memories)
    OR EXISTS (SELECT FROM vertexkit.tokens)
"""
READ_CALL_KEYS = "SELECT id, key FROM vertexkit.executions"
WRITE_CALL_KEY = "UPDATE vertexkit.executions SET key = %s WHERE id = %s"
READ_ENDED_CALLS = "SELECT key FROM vertexkit.tokens"
WRITE_ENDED_CALL = "UPDATE vertexkit.tokens SET key = %s WHERE key = %s"


def check(connection: psycopg.Connection[Any], where: str, keys: JournalKeys | None) -> Cipher:
    """Return what seals and opens the values of a journal; change nothing.

    Args:
        connection: to the database.
        where: name of the database.
        keys: of the settings; None: there are none.

    Raises:
        JournalUnusable: the journal is encrypted, and a key is missing.
    """
    row = connection.execute(READ_HEADER).fetchone()
    header = None if row is None else row[0]
    if keys is None:
        check_unencrypted(header, where)
    return PLAIN if keys is None or header is None else keys.cipher(header, where)


async def use_keys(
    connection: psycopg.AsyncConnection[Any], where: str, keys: JournalKeys | None
) -> Cipher:
    """Return what seals and opens the values; encrypt the journal from now on if there are keys.

    Raises:
        JournalUnusable: as `check`.
    """
    header = await read_header(connection)
    if keys is None:
        check_unencrypted(header, where)
        return PLAIN
    if header is not None and keys.used_header(header) == header:
        return keys.cipher(header, where)
    async with connection.transaction():
        await connection.execute(TAKE_LOCK, (LOCK,))
        header = await read_header(connection)  # another process may have written it
        if header is not None:
            cipher = keys.cipher(header, where)
            await connection.execute(WRITE_HEADER, (keys.used_header(header),))
            return cipher
        row = await (await connection.execute(HAS_VALUES)).fetchone()
        header = keys.new_header(is_empty=row is not None and not row[0])
        cipher = keys.cipher(header, where)
        await connection.execute(WRITE_HEADER, (header,))
        await _replace_call_keys(connection, cipher)
    return cipher


async def read_header(connection: psycopg.AsyncConnection[Any]) -> bytes | None:
    """Read the header; None if the journal is not encrypted."""
    row = await (await connection.execute(READ_HEADER)).fetchone()
    return None if row is None else bytes(row[0])


async def _replace_call_keys(connection: psycopg.AsyncConnection[Any], cipher: Cipher) -> None:
    """Replace the keys of calls by fingerprints: repetitions of these calls are still noticed."""
    calls = await (await connection.execute(READ_CALL_KEYS)).fetchall()
    ended = await (await connection.execute(READ_ENDED_CALLS)).fetchall()
    async with connection.cursor() as cursor:
        await cursor.executemany(
            WRITE_CALL_KEY, [(cipher.fingerprint(key), name) for name, key in calls]
        )
        await cursor.executemany(
            WRITE_ENDED_CALL, [(cipher.fingerprint(key), key) for (key,) in ended]
        )
