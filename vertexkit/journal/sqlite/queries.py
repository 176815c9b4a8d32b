"""Reading executions from the journal's tables.

The connection's `row_factory` is `sqlite3.Row`: columns are read by their names.
"""

import sqlite3
import sys
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
from vertexkit.journal.encryption import effect_place, open_effect, open_text
from vertexkit.journal.protocol import HistoryEvent, Record
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.state.row import ExecutionRow, keeps_secrets
from vertexkit.token import Token

UNFINISHED = """
SELECT number, id, block, key, dialog, accepted_at, follows, token, phase, epoch, attempts,
    claimed_at, due_at, due_in, result, code, result_recorded_at, completion_tried,
    completion_tries, completion_tried_at, ran, limit_key, history
FROM executions
"""
SETTLED = """
SELECT number, id, block, attempts, accepted_at, dialog, claimed_at, result_recorded_at,
    completion_tried_at, completion_tries, ended_at, history, ending, code,
    coalesce(ending_code, code) AS ending_code, confirmed_by, reason,
    token IS NOT NULL AS has_token, result
FROM executions WHERE phase = 'settled'
"""


def read_effects(connection: JournalConnection, number: int, execution: str) -> dict[int, Effect]:
    """Read the effects of an execution, by position.

    Args:
        connection: to the file.
        number: of the execution.
        execution: its id.
    """
    found = connection.execute(
        "SELECT position, kind, digest, state, value, began, ended FROM effects "
        "WHERE execution = ? ORDER BY position",
        (number,),
    )
    effects = {}
    for line in found:
        position, kind = line["position"], line["kind"]
        place = effect_place(execution, position, kind)
        stored = line["value"] or b""
        digest, value = open_effect(connection.cipher, place, line["digest"], stored)
        state = EffectState(line["state"])
        effects[position] = Effect(
            position, kind, digest, state, value, line["began"], line["ended"]
        )
    return effects


def read_rows(connection: JournalConnection, where: str, *values: Any) -> list[ExecutionRow]:
    """Read executions that can run, oldest first; their calls stay in the file."""
    rows: dict[int, ExecutionRow] = {}
    follows: dict[int, int] = {}
    for line in connection.execute(f"{UNFINISHED} WHERE {where} ORDER BY number", values):
        rows[line["number"]] = _row(connection, line)
        if line["follows"] is not None:
            follows[line["number"]] = line["follows"]
    for number, earlier in follows.items():
        rows[number].follows = rows.get(earlier)
    return list(rows.values())


def _row(connection: JournalConnection, line: sqlite3.Row) -> ExecutionRow:
    execution = line["id"]
    token = Token(open_text(connection.cipher, f"token {execution}", line["token"]))
    return ExecutionRow(
        Execution(
            execution,
            sys.intern(line["block"]),  # one text for all executions
            token,
            {},
            b"",
            line["accepted_at"],
            limit_key=line["limit_key"],
        ),
        line["key"],
        line["number"],
        phase=Phase(line["phase"]),
        epoch=line["epoch"],
        attempts=line["attempts"],
        effects=read_effects(connection, line["number"], execution),
        result=_result(connection, line),
        completion_tried=bool(line["completion_tried"]),
        body_on_disk=True,
        dialog=line["dialog"],
        claimed_at=line["claimed_at"],
        due_at=line["due_at"],
        due_in=line["due_in"],
        result_recorded_at=line["result_recorded_at"],
        completion_tried_at=line["completion_tried_at"],
        completion_tries=line["completion_tries"],
        ran=line["ran"],
        history=_history(connection, line),
    )


def _result(connection: JournalConnection, line: sqlite3.Row) -> Result | None:
    if line["result"] is None:
        return None
    return Result(connection.cipher.open(f"result {line['id']}", line["result"]), line["code"])


def _history(connection: JournalConnection, line: sqlite3.Row) -> list[HistoryEvent]:
    stored = open_text(connection.cipher, f"history {line['id']}", line["history"])
    return [HistoryEvent(*event) for event in from_json(stored or "[]")]


def read_call(connection: JournalConnection, row: ExecutionRow) -> Execution:
    """Read the whole call of an execution that is not in memory."""
    line = connection.execute(
        "SELECT inputs, raw FROM executions WHERE number = ?", (row.number,)
    ).fetchone()
    cipher, execution = connection.cipher, row.execution.id
    inputs = cipher.open(f"inputs {execution}", line["inputs"])
    raw = cipher.open(f"raw {execution}", line["raw"])
    return replace(row.execution, inputs=from_json(inputs), raw=raw)


def read_inputs(connection: JournalConnection, execution: str) -> dict[str, Any] | None:
    """Read the inputs of a call; None if they are not stored (any more)."""
    line = connection.execute("SELECT inputs FROM executions WHERE id = ?", (execution,)).fetchone()
    if line is None or line["inputs"] is None:
        return None
    inputs: dict[str, Any] = from_json(
        connection.cipher.open(f"inputs {execution}", line["inputs"])
    )
    return inputs


def read_settled_one(connection: JournalConnection, execution: str) -> Record | None:
    """Read an execution that has ended."""
    line = connection.execute(f"{SETTLED} AND id = ?", (execution,)).fetchone()
    return None if line is None else record_of(connection, line)


def read_block(connection: JournalConnection, execution: str) -> str | None:
    """Read the block of an execution, also of one whose outcome is being written."""
    line = connection.execute("SELECT block FROM executions WHERE id = ?", (execution,)).fetchone()
    return None if line is None else line["block"]


def record_of(connection: JournalConnection, line: sqlite3.Row) -> Record:
    """Return the record of an execution that has ended, from its line of SETTLED."""
    reason = open_text(connection.cipher, f"reason {line['id']}", line["reason"])
    outcome = Outcome(
        OutcomeStatus(line["ending"]), line["ending_code"], line["confirmed_by"], reason
    )
    return Record(
        execution=line["id"],
        block=line["block"],
        phase=Phase.SETTLED,
        attempts=line["attempts"],
        accepted_at=line["accepted_at"],
        effects=tuple(read_effects(connection, line["number"], line["id"]).values()),
        result=_result(connection, line),
        outcome=outcome,
        dialog=line["dialog"],
        claimed_at=line["claimed_at"],
        result_recorded_at=line["result_recorded_at"],
        completion_tried_at=line["completion_tried_at"],
        completion_tries=line["completion_tries"],
        ended_at=line["ended_at"],
        history=tuple(_history(connection, line)),
        retryable=bool(line["has_token"]) and keeps_secrets(outcome),
    )


def read_tokens(
    connection: JournalConnection, since: float, limit: int
) -> list[tuple[bytes, str, float]]:
    """Read key, execution and `ended_age` of the newest unique tokens, oldest first."""
    found = connection.execute(
        "SELECT key, execution, ended_age FROM tokens WHERE ended_age > ? "
        "ORDER BY ended_age DESC LIMIT ?",
        (since, limit),
    ).fetchall()
    return [(line["key"], line["execution"], line["ended_age"]) for line in reversed(found)]


def read_token(connection: JournalConnection, key: bytes, since: float) -> str | None:
    """Read the execution of a unique token."""
    line = connection.execute(
        "SELECT execution FROM tokens WHERE key = ? AND ended_age > ?", (key, since)
    ).fetchone()
    return None if line is None else line["execution"]


def read_starts(connection: JournalConnection, now: float) -> list[tuple[str, str, float]]:
    """Read the runs that count against a rate: block, key and the seconds that are left."""
    found = connection.execute(
        "SELECT block, limit_key, until, seconds FROM starts WHERE until > ? ORDER BY until", (now,)
    ).fetchall()
    return [  # a clock that was set back does not extend the time
        (line["block"], line["limit_key"], min(line["until"] - now, line["seconds"]))
        for line in found
    ]


def read_age(connection: JournalConnection) -> tuple[float, float]:
    """Read the journal's age, and the Unix time at which it was saved."""
    line = connection.execute("SELECT age, saved_at FROM journal").fetchone()
    return line["age"], line["saved_at"]


def read_last_number(connection: JournalConnection) -> int:
    """Read the largest number of an execution, deleted ones included; 0 if there was none."""
    line = connection.execute(
        "SELECT max(last_number, (SELECT coalesce(max(number), 0) FROM executions)) AS last "
        "FROM journal"
    ).fetchone()
    number: int = line["last"]
    return number
