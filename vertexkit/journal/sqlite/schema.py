"""The journal's tables, and the statements that change them."""

from typing import Any

from pydantic_core import to_json

from vertexkit.execution import Effect, Outcome, Result
from vertexkit.journal.encryption import Cipher, seal_effect, seal_text
from vertexkit.journal.state.row import ExecutionRow

APPLICATION_ID = 0x76786B6A
"""`vxkj`: marks a file as a journal of vertexkit."""
VERSION = 6
"""Of the tables."""
PAGE_BYTES = 8192
"""Size of a page of a new file. A commit writes each page that it changes as a whole, by two system
calls: with SQLite's own size of 4096, twice as many pages, an execution takes 4 % more processor time."""
TABLES = """
CREATE TABLE executions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    block TEXT NOT NULL,
    key BLOB NOT NULL,
    dialog INTEGER,
    accepted_at REAL NOT NULL,
    follows INTEGER,
    phase TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    claimed_at REAL,
    due_at REAL,
    due_in REAL,
    code TEXT,
    result_recorded_at REAL,
    completion_tried INTEGER NOT NULL DEFAULT 0,
    completion_tries INTEGER NOT NULL DEFAULT 0,
    completion_tried_at REAL,
    ran REAL NOT NULL DEFAULT 0,
    limit_key TEXT,
    ending TEXT,
    ending_code TEXT,
    confirmed_by TEXT,
    reason TEXT,
    ended_at REAL,
    ended_age REAL,
    history TEXT NOT NULL DEFAULT '',
    token TEXT,
    result BLOB,
    inputs BLOB,
    raw BLOB
) STRICT;
CREATE INDEX executions_by_id ON executions (id);
CREATE INDEX ended_executions ON executions (ending, ended_age) WHERE phase = 'settled';
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
CREATE TABLE starts (
    block TEXT NOT NULL,
    limit_key TEXT NOT NULL,
    until REAL NOT NULL,
    seconds REAL NOT NULL
) STRICT;
CREATE INDEX starts_by_time ON starts (until);
CREATE TABLE tokens (
    key BLOB PRIMARY KEY,
    execution TEXT NOT NULL,
    ended_age REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_age ON tokens (ended_age);
CREATE TABLE memories (
    instance TEXT NOT NULL,
    dialog INTEGER NOT NULL,
    changed_at REAL NOT NULL,
    changed_age REAL NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (dialog, instance)
) STRICT;
CREATE INDEX memories_by_age ON memories (changed_age);
CREATE TABLE encryption (
    header BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
    age REAL NOT NULL,
    saved_at REAL NOT NULL,
    last_number INTEGER NOT NULL
) STRICT;
INSERT INTO journal VALUES (0, 0, 0)
"""
"""Large columns are the last ones: reading a column reads all that are before it.

`code` is the code of the result, `ending_code` that of the outcome.
`ended_age` and `changed_age` are times of `JournalAge`, all others are of the wall clock. `tokens`
has the calls of ended executions, if tokens are unique. `starts` has the runs that count against a
rate, until a time and for a number of seconds. `journal` has one row; `encryption` has one if the
journal is encrypted, see `encryption.Cipher`.
"""
MIGRATIONS = {5: "ALTER TABLE executions ADD COLUMN ending_code TEXT"}
"""What leads from a version to the next. In a file of version 5, `code` is also the code of the
outcome of an execution that has ended."""

ACCEPT = """
INSERT INTO executions
    (number, id, block, key, dialog, accepted_at, follows, limit_key, token, inputs, raw, phase)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')
"""
CLAIM = """
UPDATE executions
SET phase = ?, epoch = ?, attempts = ?, worker = ?, claimed_at = ?, due_at = NULL
WHERE number = ?
"""
RECORD_START = "INSERT INTO starts (block, limit_key, until, seconds) VALUES (?, ?, ?, ?)"
FORGET_STARTS = "DELETE FROM starts WHERE until < ?"
RECORD_HISTORY = "UPDATE executions SET history = ? WHERE number = ?"
RECORD_EFFECT = """
INSERT INTO effects (execution, position, kind, digest, state, value, began, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET kind = excluded.kind, digest = excluded.digest, state = excluded.state,
    value = excluded.value, began = excluded.began, ended = excluded.ended
"""
RECORD_RESULT = """
UPDATE executions
SET phase = 'completing', result = ?, code = ?, result_recorded_at = ?, completion_tried = ?,
    completion_tries = ?, completion_tried_at = ?
WHERE number = ?
"""
RECORD_COMPLETION_TRY = """
UPDATE executions SET completion_tried = ?, completion_tries = ?, completion_tried_at = ?
WHERE number = ?
"""
RELEASE = """
UPDATE executions SET phase = 'waiting', worker = NULL, due_at = ?, due_in = ?, history = ?
WHERE number = ?
"""
SUSPEND = """
UPDATE executions SET phase = 'suspended', worker = NULL, due_at = ?, due_in = ?, ran = ?
WHERE number = ?
"""
SETTLE = """
UPDATE executions
SET phase = 'settled', token = NULL, inputs = NULL, raw = NULL, result = NULL, worker = NULL,
    code = NULL, due_at = NULL, ending = ?, ending_code = ?, confirmed_by = ?, reason = ?,
    ended_at = ?, ended_age = ?
WHERE number = ?
"""
PARK = """
UPDATE executions
SET phase = 'settled', worker = NULL, due_at = NULL, ending = ?, ending_code = ?, confirmed_by = ?,
    reason = ?, ended_at = ?, ended_age = ?
WHERE number = ?
"""
ERASE_STEP_VALUES = "UPDATE effects SET value = NULL WHERE execution = ? AND kind <> ?"
RECORD_DROPPED = """
UPDATE executions SET phase = 'waiting', result = ?, code = ?, result_recorded_at = ?, due_at = NULL, history = ?
WHERE number = ?
"""
RETRY = """
UPDATE executions
SET phase = 'waiting', attempts = 0, ran = 0, completion_tries = 0, completion_tried = ?, result = ?,
    history = ?, ending = NULL, ending_code = NULL, confirmed_by = NULL, reason = NULL, ended_at = NULL,
    ended_age = NULL
WHERE number = ?
"""
DELETE = "DELETE FROM executions WHERE number = ?"
DELETE_EFFECTS = "DELETE FROM effects WHERE execution = ?"
DELETE_FIRST_EFFECTS = "DELETE FROM effects WHERE execution = ? AND position <= ?"
SELECT_FIRST_EFFECTS = """
SELECT position, coalesce(length(value), 0) AS size FROM effects WHERE execution = ?
ORDER BY position LIMIT ?
"""
ERASE_CALL = """
UPDATE executions SET token = NULL, result = NULL, inputs = NULL, raw = NULL WHERE number = ?
"""
SELECT_EXPIRED = """
SELECT number, coalesce(length(inputs), 0) + coalesce(length(raw), 0) + coalesce(length(result), 0)
FROM executions WHERE phase = 'settled' AND ending = ? AND ended_age < ?
ORDER BY ended_age LIMIT ?
"""
"""Number and bytes of executions."""
SURPLUS_RANGE = """
SELECT (SELECT min(number) FROM executions WHERE number > ?) AS first,
    (SELECT max(number) FROM executions) - ? AS last
"""
SELECT_SURPLUS = """
SELECT number, coalesce(length(inputs), 0) + coalesce(length(raw), 0) + coalesce(length(result), 0)
FROM executions
WHERE number BETWEEN ? AND ? AND +phase = 'settled' AND ending <> 'parked'
ORDER BY number LIMIT ?
"""
SAVE_LAST_NUMBER = """
UPDATE journal SET last_number = max(last_number, (SELECT max(number) FROM executions))
"""
"""Before a deletion, which may delete the newest execution: numbers are not used again."""
SAVE_AGE = "UPDATE journal SET age = ?, saved_at = ?"
REMEMBER_CALL = "INSERT OR REPLACE INTO tokens (key, execution, ended_age) VALUES (?, ?, ?)"
REMEMBER_ENDED_CALLS = """
INSERT OR IGNORE INTO tokens (key, execution, ended_age)
SELECT key, id, ended_age FROM executions WHERE phase = 'settled' AND ended_age > ?
ORDER BY ended_age DESC
"""
HAS_EXPIRED_CALL = "SELECT 1 FROM tokens WHERE ended_age < ? LIMIT 1"
FORGET_CALLS = """
DELETE FROM tokens WHERE key IN
    (SELECT key FROM tokens WHERE ended_age < ? ORDER BY ended_age LIMIT ?)
"""
SAVE_MEMORY = """
INSERT INTO memories (instance, dialog, changed_at, changed_age, value) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET changed_at = excluded.changed_at, changed_age = excluded.changed_age,
    value = excluded.value
"""
READ_MEMORY = """
SELECT value, changed_at, changed_age FROM memories WHERE instance = ? AND dialog = ?
"""
DELETE_MEMORY = "DELETE FROM memories WHERE instance = ? AND dialog = ?"
READ_MEMORIES = """
SELECT instance, dialog, length(value) AS size, changed_at FROM memories WHERE dialog = ?
"""
DELETE_MEMORIES = "DELETE FROM memories WHERE dialog = ?"
DELETE_DIALOG_EFFECTS = """
DELETE FROM effects WHERE execution IN
    (SELECT number FROM executions WHERE id = ? AND phase = 'settled')
"""
DELETE_DIALOG_EXECUTION = "DELETE FROM executions WHERE id = ? AND phase = 'settled'"
SELECT_EXPIRED_MEMORIES = """
SELECT instance, dialog, length(value) AS size FROM memories WHERE changed_age <= ?
ORDER BY changed_age LIMIT ?
"""
NO_CHANGE = "SELECT 1"
"""Its write is done when all earlier ones are."""


def accept_values(row: ExecutionRow, inputs: bytes, cipher: Cipher) -> tuple[Any, ...]:
    """Return the values of ACCEPT.

    Args:
        row: of the call.
        inputs: of the call, encoded.
        cipher: of the file.
    """
    execution = row.execution
    return (
        row.number,
        execution.id,
        execution.block,
        row.key,
        row.dialog,
        execution.accepted_at,
        row.follows and row.follows.number,
        execution.limit_key,
        seal_text(cipher, f"token {execution.id}", execution.token.reveal()),
        cipher.seal(f"inputs {execution.id}", inputs),
        cipher.seal(f"raw {execution.id}", execution.raw),
    )


def claim_values(row: ExecutionRow) -> tuple[Any, ...]:
    """Return the values of CLAIM."""
    return row.phase, row.epoch, row.attempts, row.worker, row.claimed_at, row.number


def start_values(row: ExecutionRow, seconds: float, now: float) -> tuple[Any, ...]:
    """Return the values of RECORD_START.

    Args:
        row: of the execution.
        seconds: for which the start counts.
        now: the Unix time.
    """
    return row.execution.block, row.execution.limit_key, now + seconds, seconds


def effect_values(row: ExecutionRow, effect: Effect, cipher: Cipher) -> tuple[Any, ...]:
    """Return the values of RECORD_EFFECT."""
    digest, value = seal_effect(cipher, row.execution.id, effect)
    return (
        row.number,
        effect.position,
        effect.kind,
        digest,
        effect.state,
        value,
        effect.began,
        effect.ended,
    )


def result_values(row: ExecutionRow, result: Result, cipher: Cipher) -> tuple[Any, ...]:
    """Return the values of RECORD_RESULT.

    Args:
        row: of the execution.
        result: as the row has it.
        cipher: of the file.
    """
    recorded = (sealed_result(row, result, cipher), result.code, row.result_recorded_at)
    return (*recorded, *completion_try_values(row))


def sealed_result(row: ExecutionRow, result: Result, cipher: Cipher) -> bytes:
    """Return the value of the column `result`."""
    return cipher.seal(f"result {row.execution.id}", result.data)


def completion_try_values(row: ExecutionRow) -> tuple[Any, ...]:
    """Return the values of RECORD_COMPLETION_TRY."""
    return row.completion_tried, row.completion_tries, row.completion_tried_at, row.number


def settle_values(
    row: ExecutionRow, outcome: Outcome, age: float, cipher: Cipher
) -> tuple[Any, ...]:
    """Return the values of SETTLE and PARK.

    Args:
        row: of the execution.
        outcome: of the execution.
        age: of the journal, now.
        cipher: of the file.
    """
    reason = seal_text(cipher, f"reason {row.execution.id}", outcome.reason)
    values = (outcome.status, outcome.code, outcome.confirmed_by, reason)
    return (*values, row.ended_at, age, row.number)


def history_value(row: ExecutionRow, cipher: Cipher) -> str:
    """Return the value of the column `history`."""
    history = to_json([(event.at, event.name, event.detail) for event in row.history]).decode()
    return seal_text(cipher, f"history {row.execution.id}", history)
