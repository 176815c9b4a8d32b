"""Searching the executions that have ended, in parts: commits are in between."""

from dataclasses import dataclass
from typing import Any

from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.queries import SETTLED, record_of

ROWS_PER_PART = 1000
"""Executions that one part compares with the query."""
RECORDS_PER_PART = 50
"""Executions that one part returns."""
EFFECTS_PER_PART = 500
"""Effects that one part reads. An execution is read as a whole, so the last one may have more."""
LAST_NUMBER = (1 << 63) - 1
"""A number that no execution has."""
AFTER_ALL_DIGITS = "~"
"""Sorts after all characters of an id."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a search has found."""

    records: list[Record]
    """Newest first."""
    before: int | str | None
    """Where the next part starts; None: there is none."""


def read_part(connection: JournalConnection, query: Query, before: int | str | None) -> Part:
    """Read the next part of a search, newest executions first.

    Executions are read in the order of their numbers or, if the start of an id is given, of their
    ids. Both are in the order of acceptance, and both have an index.

    Args:
        connection: of the file.
        query: which executions; its `limit` is the number that is still missing.
        before: as the previous part returned it; None for the first part.
    """
    place = "number" if query.prefix is None else "id"
    first: int | str = 0 if query.prefix is None else query.prefix
    if before is None:
        before = LAST_NUMBER if query.prefix is None else f"{query.prefix}{AFTER_ALL_DIGITS}"
    after = connection.execute(
        f"SELECT {place} FROM executions WHERE {place} < ? AND {place} >= ? "  # noqa: S608
        f"ORDER BY {place} DESC LIMIT 1 OFFSET {ROWS_PER_PART - 1}",
        (before, first),
    ).fetchone()
    lowest = first if after is None else after[0]
    filters: dict[str, Any] = {
        f"{place} < ?": before,
        f"{place} >= ?": lowest,
        "+ending = ?": query.status,  # the index of ended executions is in another order
        "block = ?": query.block,
        "dialog = ?": query.dialog,
        "coalesce(ending_code, code) = ?": query.code,
        "accepted_at >= ?": query.since,
    }
    used = {condition: value for condition, value in filters.items() if value is not None}
    where = "".join(f" AND {condition}" for condition in used)
    limit = min(query.limit, RECORDS_PER_PART)
    found = connection.execute(
        f"{SETTLED}{where} ORDER BY {place} DESC LIMIT ?", (*used.values(), limit)
    ).fetchall()
    records, effects = list[Record](), 0
    for line in found:
        records.append(record_of(connection, line))
        effects += len(records[-1].effects)
        if effects >= EFFECTS_PER_PART or len(records) == limit:
            return Part(records, line[place])
    return Part(records, None if after is None else lowest)
