"""The header of an encrypted file: which keys its values may be sealed with."""

from pathlib import Path

from vertexkit.journal.encryption import PLAIN, Cipher, JournalKeys, check_unencrypted
from vertexkit.journal.sqlite.connection import JournalConnection

READ_HEADER = "SELECT header FROM encryption"
DELETE_HEADER = "DELETE FROM encryption"
WRITE_HEADER = "INSERT INTO encryption (header) VALUES (?)"
HAS_VALUES = """
SELECT EXISTS (SELECT 1 FROM executions) OR EXISTS (SELECT 1 FROM memories)
    OR EXISTS (SELECT 1 FROM tokens)
"""
READ_CALL_KEYS = "SELECT number, key FROM executions"
WRITE_CALL_KEY = "UPDATE executions SET key = ? WHERE number = ?"
READ_ENDED_CALLS = "SELECT key FROM tokens"
WRITE_ENDED_CALL = "UPDATE tokens SET key = ? WHERE key = ?"


def read_header(connection: JournalConnection) -> bytes | None:
    """Read the header; None if the file is not encrypted."""
    line = connection.execute(READ_HEADER).fetchone()
    return None if line is None else line[0]


def write_header(connection: JournalConnection, header: bytes) -> None:
    """Replace the header, within a transaction."""
    connection.execute(DELETE_HEADER)
    connection.execute(WRITE_HEADER, (header,))


def use_keys(connection: JournalConnection, path: Path, keys: JournalKeys | None) -> Cipher:
    """Return what seals and opens the values of a file; encrypt it from now on if there are keys.

    Args:
        connection: outside of a transaction.
        path: of the file.
        keys: of the settings; None: there are none.

    Raises:
        JournalUnusable: the file is encrypted, and a key is missing.
    """
    header = read_header(connection)
    if keys is None:
        check_unencrypted(header, str(path))
        return PLAIN
    if header is not None:
        cipher = keys.cipher(header, str(path))
        if (used := keys.used_header(header)) != header:
            _begin(connection)
            write_header(connection, used)
            connection.execute("COMMIT")
        return cipher
    [has_values] = connection.execute(HAS_VALUES).fetchone()
    header = keys.new_header(is_empty=not has_values)
    cipher = keys.cipher(header, str(path))
    _begin(connection)
    write_header(connection, header)
    _replace_call_keys(connection, cipher)
    connection.execute("COMMIT")
    return cipher


def check_keys(connection: JournalConnection, path: Path, keys: JournalKeys | None) -> None:
    """Check what `use_keys` checks; change nothing."""
    header = read_header(connection)
    if keys is None:
        check_unencrypted(header, str(path))
    elif header is not None:
        keys.cipher(header, str(path))


def _begin(connection: JournalConnection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def _replace_call_keys(connection: JournalConnection, cipher: Cipher) -> None:
    """Replace the keys of calls by fingerprints: repetitions of these calls are still noticed."""
    calls = connection.execute(READ_CALL_KEYS).fetchall()
    connection.executemany(
        WRITE_CALL_KEY, [(cipher.fingerprint(key), number) for number, key in calls]
    )
    tokens = connection.execute(READ_ENDED_CALLS).fetchall()
    connection.executemany(WRITE_ENDED_CALL, [(cipher.fingerprint(key), key) for [key] in tokens])
