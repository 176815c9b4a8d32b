"""A connection to a journal's file, with what seals and opens the values in it."""

import sqlite3

from vertexkit.journal.encryption import PLAIN, Cipher


class JournalConnection(sqlite3.Connection):
    """A connection to a journal's file.

    Attributes:
        cipher: seals and opens the values.
    """

    cipher: Cipher = PLAIN
