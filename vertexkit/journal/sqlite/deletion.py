"""Deletions from the journal's file in steps that do a limited amount of work each.

A step counts the rows that it deletes and the pages that they fill: other writes wait for it. What
one step changes in the file is written to the write-ahead log; moving that into the file
(a checkpoint) waits for the disk, so it is a step of its own.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from vertexkit.journal.sqlite.schema import (
    DELETE,
    DELETE_FIRST_EFFECTS,
    ERASE_CALL,
    FORGET_CALLS,
    FORGET_STARTS,
    HAS_EXPIRED_CALL,
    SAVE_LAST_NUMBER,
    SELECT_FIRST_EFFECTS,
)

WORK_PER_STEP = 100
"""Most rows and pages that one step deletes; one row that is larger is deleted as a whole."""
TOKENS_PER_STEP = 20
"""Unique tokens that one step deletes: each of them is on another page."""
PAGES_PER_STEP = 25
"""Free pages that one step returns to the file system."""
COUNTED_PAGE_BYTES = 4096
"""Bytes of a row that count as one page: files of earlier versions have pages of this size."""


class Deleted(NamedTuple):
    """What a step has deleted."""

    last: int
    """Number of the last execution of which nothing is left; 0: there is none."""
    more: bool
    """Whether there may be more to delete."""


def delete_selected(
    connection: sqlite3.Connection, select: str, values: tuple[Any, ...]
) -> Deleted:
    """Delete some of the executions that a query selects, the first ones first.

    An execution with more effects than one step deletes loses its call first, so that no operator
    can run it again; its own row is the last one that is deleted.

    Args:
        connection: outside of a transaction.
        select: returns number and bytes of executions; its last parameter is the limit.
        values: its other parameters.
    """
    found = connection.execute(select, (*values, WORK_PER_STEP)).fetchall()
    if not found:
        return Deleted(0, more=False)
    last = 0

    def delete() -> None:
        nonlocal last
        connection.execute(SAVE_LAST_NUMBER)
        left = WORK_PER_STEP
        for number, size in found:
            work, complete = _delete_effects(connection, number, left)
            if not complete:
                connection.execute(ERASE_CALL, (number,))
                return
            connection.execute(DELETE, (number,))
            last = number
            left -= work + row_work(size)
            if left <= 0:
                return

    commit_without_sync(connection, delete)
    return Deleted(last, more=True)


def _delete_effects(connection: sqlite3.Connection, number: int, left: int) -> tuple[int, bool]:
    """Delete the first effects of an execution; return the work, and whether they were all."""
    effects = connection.execute(SELECT_FIRST_EFFECTS, (number, left + 1)).fetchall()
    if not effects:
        return 0, True
    work, last = 0, effects[0]["position"]
    for position, size in effects:
        if work and work + row_work(size) > left:
            break
        work, last = work + row_work(size), position
    connection.execute(DELETE_FIRST_EFFECTS, (number, last))
    return work, last == effects[-1]["position"]


def row_work(size: int) -> int:
    """Return the work of deleting a row of this size: the row, and the pages that it fills."""
    return 1 + size // COUNTED_PAGE_BYTES


def forget_tokens(connection: sqlite3.Connection, before: float) -> bool:
    """Delete some of the unique tokens that need not be remembered; return whether to go on."""
    if not connection.execute(HAS_EXPIRED_CALL, (before,)).fetchone():
        return False
    deleted = 0

    def delete() -> None:
        nonlocal deleted
        deleted = connection.execute(FORGET_CALLS, (before, TOKENS_PER_STEP)).rowcount

    commit_without_sync(connection, delete)
    return deleted == TOKENS_PER_STEP


def forget_starts(connection: sqlite3.Connection, now: float) -> None:
    """Delete the starts that do not count against a rate any more at a Unix time."""
    commit_without_sync(connection, lambda: connection.execute(FORGET_STARTS, (now,)))


def shrink(connection: sqlite3.Connection, min_free_pages: int) -> bool:
    """Return some free pages to the file system; return whether there are more."""
    [free] = connection.execute("PRAGMA freelist_count").fetchone()
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    if free <= max(min_free_pages, (pages - free) // 2):
        return False
    vacuum = f"PRAGMA incremental_vacuum({PAGES_PER_STEP})"
    commit_without_sync(connection, lambda: connection.execute(vacuum).fetchall())
    [left] = connection.execute("PRAGMA freelist_count").fetchone()
    return bool(left < free)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move what the write-ahead log has into the file."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def empty_log(connection: sqlite3.Connection) -> None:
    """Cut the write-ahead log off: it contains earlier versions of pages."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def commit_without_sync(connection: sqlite3.Connection, change: Callable[[], object]) -> None:
    """Make changes that a loss of power may undo, without a checkpoint."""
    execute = connection.execute
    [sync] = execute("PRAGMA synchronous").fetchone()
    [checkpoint_after] = execute("PRAGMA wal_autocheckpoint").fetchone()
    execute("PRAGMA synchronous = NORMAL")
    execute("PRAGMA wal_autocheckpoint = 0")
    try:
        execute("BEGIN IMMEDIATE")
        change()
        execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
    finally:
        execute(f"PRAGMA wal_autocheckpoint = {checkpoint_after}")
        execute(f"PRAGMA synchronous = {sync}")
