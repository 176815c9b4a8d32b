"""The journal's tables, and the changes that are made to them."""

from typing import Any

from pydantic_core import to_json

from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, Outcome, Result
from vertexkit.journal.state.row import Row

APPLICATION = 0x76786B6A
"""`vxkj`: marks a file as a journal of vertexkit."""
VERSION = 1
TABLES = """
CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    block TEXT NOT NULL,
    key BLOB NOT NULL,
    dialog INTEGER,
    accepted_at REAL NOT NULL,
    follows INTEGER,
    token TEXT,
    inputs BLOB,
    raw BLOB,
    phase TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    claimed_at REAL,
    due_at REAL,
    due_in REAL,
    result BLOB,
    code TEXT,
    concluded_at REAL,
    tried INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    tried_at REAL,
    ending TEXT,
    confirmed_by TEXT,
    reason TEXT,
    ended_at REAL,
    trail TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE effects (
    execution INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    value BLOB,
    began REAL NOT NULL,
    ended REAL NOT NULL,
    PRIMARY KEY (execution, position)
) STRICT, WITHOUT ROWID;
"""

ACCEPT = """
INSERT INTO executions
    (number, id, block, key, dialog, accepted_at, follows, token, inputs, raw, phase)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')
"""
CLAIM = """
UPDATE executions
SET phase = ?, epoch = ?, attempts = ?, worker = ?, claimed_at = ?, due_at = NULL
WHERE number = ?
"""
TRAIL = "UPDATE executions SET trail = ? WHERE number = ?"
EFFECT = """
INSERT INTO effects (execution, position, kind, digest, state, value, began, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET kind = excluded.kind, digest = excluded.digest, state = excluded.state,
    value = excluded.value, began = excluded.began, ended = excluded.ended
"""
CONCLUDE = """
UPDATE executions
SET phase = 'completing', result = ?, code = ?, concluded_at = ?, tried = ?, tries = ?, tried_at = ?
WHERE number = ?
"""
TRY = "UPDATE executions SET tried = ?, tries = ?, tried_at = ? WHERE number = ?"
RELEASE = """
UPDATE executions SET phase = 'waiting', worker = NULL, due_at = ?, due_in = ?, trail = ?
WHERE number = ?
"""
SETTLE = """
UPDATE executions
SET phase = 'settled', token = NULL, inputs = NULL, raw = NULL, result = NULL, worker = NULL,
    due_at = NULL, ending = ?, code = ?, confirmed_by = ?, reason = ?, ended_at = ?
WHERE number = ?
"""
PARK = """
UPDATE executions
SET phase = 'settled', worker = NULL, due_at = NULL, ending = ?, code = ?, confirmed_by = ?,
    reason = ?, ended_at = ?
WHERE number = ?
"""
ERASE_STEPS = "UPDATE effects SET value = NULL WHERE execution = ? AND kind <> 'send'"
FIX = """
UPDATE executions SET result = ?, code = ?, concluded_at = ?, due_at = NULL, trail = ?
WHERE number = ?
"""
REVIVE = """
UPDATE executions
SET phase = 'waiting', attempts = 0, tries = 0, tried = ?, result = ?, trail = ?, ending = NULL,
    confirmed_by = NULL, reason = NULL, ended_at = NULL
WHERE number = ?
"""
FORGET = "DELETE FROM executions WHERE number = ?"
FORGET_EFFECTS = "DELETE FROM effects WHERE execution = ?"
AGED = """
SELECT number FROM executions
WHERE phase = 'settled' AND (ended_at < ? OR ending <> 'parked' AND ended_at < ?)
ORDER BY number LIMIT ?
"""
SURPLUS = """
SELECT number FROM executions
WHERE number <= (SELECT max(number) FROM executions) - ? AND phase = 'settled'
    AND ending <> 'parked'
ORDER BY number LIMIT ?
"""
MARK = "SELECT 1"
"""Changes nothing: it is done when all that came before it is."""


def accepting(row: Row) -> tuple[Any, ...]:
    """The values of ACCEPT.

    Raises:
        JournalUnavailable: the inputs are nothing that JSON can hold.
    """
    execution = row.execution
    try:
        inputs = to_json(execution.inputs, inf_nan_mode="constants", fallback=str)
    except ValueError as error:
        raise JournalUnavailable(f"the inputs of the call cannot be kept: {error}") from error
    return (
        row.number,
        execution.id,
        execution.block,
        row.key,
        row.dialog,
        execution.accepted_at,
        row.follows and row.follows.number,
        execution.token.reveal(),
        inputs,
        execution.raw,
    )


def claiming(row: Row) -> tuple[Any, ...]:
    """The values of CLAIM."""
    return row.phase, row.epoch, row.attempts, row.worker, row.claimed_at, row.number


def affecting(row: Row, effect: Effect) -> tuple[Any, ...]:
    """The values of EFFECT."""
    return (
        row.number,
        effect.position,
        effect.kind,
        effect.digest,
        effect.state,
        effect.value,
        effect.began,
        effect.ended,
    )


def concluding(row: Row, result: Result) -> tuple[Any, ...]:
    """The values of CONCLUDE."""
    fixed = (result.data, result.code, row.concluded_at)
    return (*fixed, row.completion_tried, row.tries, row.tried_at, row.number)


def trying(row: Row) -> tuple[Any, ...]:
    """The values of TRY."""
    return row.completion_tried, row.tries, row.tried_at, row.number


def settling(row: Row, outcome: Outcome) -> tuple[Any, ...]:
    """The values of SETTLE and of PARK."""
    said = (outcome.status, outcome.code, outcome.confirmed_by, outcome.reason)
    return (*said, row.ended_at, row.number)


def trail(row: Row) -> str:
    """The column `trail`."""
    return to_json([(moment.at, moment.what, moment.said) for moment in row.trail]).decode()
