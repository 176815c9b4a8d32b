"""Opening a journal's file: what the journal keeps in memory is read from it."""

from dataclasses import dataclass
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.journal.encryption import JournalKeys
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.file import open_file, reading
from vertexkit.journal.sqlite.header import use_keys
from vertexkit.journal.sqlite.queries import (
    read_age,
    read_last_number,
    read_rows,
    read_starts,
    read_tokens,
)
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS, MAX_REMEMBERED_TOKENS
from vertexkit.journal.state.row import ExecutionRow


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that was opened, and what was read from it."""

    connection: JournalConnection
    age: JournalAge
    last_number: int
    rows: list[ExecutionRow]
    """Executions that have not ended."""
    tokens: list[tuple[bytes, str, float]]
    """As `read_tokens` returns them; one more than are remembered if there are more."""
    starts: list[tuple[str, str, float]]
    """As `read_starts` returns them."""


def load(path: Path, clock: Clock, unique: bool, keys: JournalKeys | None) -> Loaded:
    """Open a file and read what has to be in memory.

    Args:
        path: of the file.
        clock: of the process.
        unique: a token belongs to one execution.
        keys: of the settings; None: the journal is not encrypted.

    Raises:
        JournalUnusable: it cannot be opened or read; the message names the cause and the fix.
    """
    connection = open_file(path)
    with reading(connection, path):
        connection.cipher = use_keys(connection, path, keys)
        age = JournalAge(clock, *read_age(connection))
        tokens: list[tuple[bytes, str, float]] = []
        if unique:
            since = age.now() - DUPLICATE_SECONDS
            connection.execute(schema.REMEMBER_ENDED_CALLS, (since,))
            tokens = read_tokens(connection, since, MAX_REMEMBERED_TOKENS + 1)
        rows = read_rows(connection, "phase <> 'settled'")
        starts = read_starts(connection, clock.unix())
        return Loaded(connection, age, read_last_number(connection), rows, tokens, starts)
