"""Reading the file that a dead process has left, without changing it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import from_json

from vertexkit.journal.protocol import Record
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.queries import SETTLED, read_rows, record_of


def copy_of(path: Path, to: Path) -> Path:
    """Copy the current file, with its write-ahead log."""
    for ending in ("", "-wal"):
        left = path.with_name(path.name + ending)
        if left.exists():
            shutil.copy(left, to.with_name(to.name + ending))
    return to


def dump(path: Path) -> tuple[Record, ...]:
    """Read all executions of a journal that no process has open."""
    with TemporaryDirectory() as folder:
        return read(copy_of(path, Path(folder) / "journal.db"))


def read(copy: Path) -> tuple[Record, ...]:
    """Read all executions of a copy, which may change by that."""
    with closing(sqlite3.connect(copy, factory=JournalConnection)) as connection:
        connection.row_factory = sqlite3.Row
        unfinished = [row.record() for row in read_rows(connection, "phase <> 'settled'")]
        settled = connection.execute(f"{SETTLED} ORDER BY number DESC").fetchall()
        return (*unfinished, *(record_of(connection, line) for line in settled))


def dump_memories(path: Path) -> dict[int, dict[str, Any]]:
    """Read the memories of all dialogs of a journal that no process has open."""
    with TemporaryDirectory() as folder:
        return read_memories(copy_of(path, Path(folder) / "journal.db"))


def read_memories(copy: Path) -> dict[int, dict[str, Any]]:
    """Read the memories of all dialogs from a copy, by the numbers of the dialogs."""
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("SELECT dialog, value FROM memories")
        return {dialog: from_json(value) for dialog, value in found}
