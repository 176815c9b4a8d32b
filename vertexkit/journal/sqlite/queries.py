"""Executions read back from the journal's tables."""

import sqlite3
from dataclasses import replace
from typing import Any

from pydantic_core import from_json

from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.protocol import Moment, Query, Record
from vertexkit.journal.state.row import Row, keeps_secrets
from vertexkit.token import Token

LIVE = """
SELECT number, id, block, key, dialog, accepted_at, follows, token, phase, epoch, attempts,
    claimed_at, due_at, due_in, result, code, concluded_at, tried, tries, tried_at, trail
FROM executions
"""
ENDED = """
SELECT number, id, block, attempts, accepted_at, dialog, claimed_at, concluded_at, tried_at, tries,
    ended_at, trail, ending, code, confirmed_by, reason, token IS NOT NULL AS kept, result
FROM executions WHERE phase = 'settled'
"""


def _moments(text: str) -> list[Moment]:
    return [Moment(*each) for each in from_json(text or "[]")]


def read_effects(connection: sqlite3.Connection, number: int) -> dict[int, Effect]:
    """What an execution did, by position."""
    found = connection.execute(
        "SELECT position, kind, digest, state, value, began, ended FROM effects "
        "WHERE execution = ? ORDER BY position",
        (number,),
    )
    return {
        at: Effect(at, kind, digest, EffectState(state), value or b"", began, ended)
        for at, kind, digest, state, value, began, ended in found
    }


def read_rows(connection: sqlite3.Connection, where: str, *values: Any) -> list[Row]:
    """Executions that are to go on, the oldest first; their calls stay in the file."""
    found = connection.execute(f"{LIVE} WHERE {where} ORDER BY number", values)
    rows = {line[0]: _row(connection, line) for line in found.fetchall()}
    for row, follows in rows.values():
        row.follows = rows[follows][0] if follows in rows else None
    return [row for row, _ in rows.values()]


def _row(connection: sqlite3.Connection, line: tuple[Any, ...]) -> tuple[Row, int | None]:
    (number, name, block, key, dialog, accepted_at, follows, token, phase, epoch, attempts) = line[
        :11
    ]
    (claimed_at, due_at, due_in, result, code, concluded_at, tried, tries, tried_at, said) = line[
        11:
    ]
    row = Row(
        Execution(name, block, Token(token), {}, b"", accepted_at),
        key,
        number,
        phase=Phase(phase),
        epoch=epoch,
        attempts=attempts,
        effects=read_effects(connection, number),
        result=None if result is None else Result(result, code),
        completion_tried=bool(tried),
        elsewhere=True,
        dialog=dialog,
        claimed_at=claimed_at,
        due_at=due_at,
        concluded_at=concluded_at,
        tried_at=tried_at,
        tries=tries,
        trail=_moments(said),
    )
    row.due_in = due_in
    return row, follows


def read_call(connection: sqlite3.Connection, row: Row) -> Execution:
    """The whole call of an execution that was not held in mind."""
    [inputs, raw] = connection.execute(
        "SELECT inputs, raw FROM executions WHERE number = ?", (row.number,)
    ).fetchone()
    return replace(row.execution, inputs=from_json(inputs), raw=raw)


def read_ended(connection: sqlite3.Connection, query: Query) -> list[Record]:
    """Executions that have ended, the newest first."""
    terms: dict[str, Any] = {
        "ending = ?": query.status,
        "block = ?": query.block,
        "dialog = ?": query.dialog,
        "code = ?": query.code,
        "accepted_at >= ?": query.since,
    }
    asked = {term: value for term, value in terms.items() if value is not None}
    where = "".join(f" AND {term}" for term in asked)
    found = connection.execute(
        f"{ENDED}{where} ORDER BY number DESC LIMIT ?", (*asked.values(), query.limit)
    )
    return [_record(connection, line) for line in found.fetchall()]


def read_one(connection: sqlite3.Connection, execution: str) -> Record | None:
    """One that has ended."""
    line = connection.execute(f"{ENDED} AND id = ?", (execution,)).fetchone()
    return None if line is None else _record(connection, line)


def _record(connection: sqlite3.Connection, line: tuple[Any, ...]) -> Record:
    (number, name, block, attempts, accepted_at, dialog, claimed_at, concluded_at) = line[:8]
    (tried_at, tries, ended_at, said, ending, code, confirmed_by, reason, kept, result) = line[8:]
    outcome = Outcome(OutcomeStatus(ending), code, confirmed_by, reason)
    return Record(
        execution=name,
        block=block,
        phase=Phase.SETTLED,
        attempts=attempts,
        accepted_at=accepted_at,
        effects=tuple(read_effects(connection, number).values()),
        result=None if result is None else Result(result, code),
        outcome=outcome,
        dialog=dialog,
        claimed_at=claimed_at,
        concluded_at=concluded_at,
        tried_at=tried_at,
        tries=tries,
        ended_at=ended_at,
        trail=tuple(_moments(said)),
        kept=bool(kept) and keeps_secrets(outcome),
    )


def read_over(connection: sqlite3.Connection, since: float) -> list[tuple[bytes, str, float]]:
    """Key, id and end of what ended since then."""
    return connection.execute(
        "SELECT key, id, ended_at FROM executions WHERE phase = 'settled' AND ended_at > ?",
        (since,),
    ).fetchall()
