"""A journal's file, read without touching it: what a dead process has left."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.sqlite.queries import read_rows, read_settled

ALL = 1 << 40


def copy_of(path: Path, to: Path) -> Path:
    """The file as it is on the disk at this moment, with its log, under another name."""
    for ending in ("", "-wal"):
        left = path.with_name(path.name + ending)
        if left.exists():
            shutil.copy(left, to.with_name(to.name + ending))
    return to


def dump(path: Path) -> tuple[Record, ...]:
    """All executions in the file of a journal that no process is writing to just now."""
    with TemporaryDirectory() as folder:
        copy = copy_of(path, Path(folder) / "journal.db")
        with closing(sqlite3.connect(copy)) as connection:
            connection.row_factory = sqlite3.Row
            unfinished = [row.record() for row in read_rows(connection, "phase <> 'settled'")]
            return (*unfinished, *read_settled(connection, Query(limit=ALL)))
