"""Reading executions for operators."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import DictRow
from pydantic_core import from_json

from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.encryption import (
    Cipher,
    effect_place,
    open_effect,
    open_marked_text,
    open_text,
)
from vertexkit.journal.limits import CONCURRENCY, LIMIT, LIMITS, RATE
from vertexkit.journal.postgres.limits import RUNNING as RUNNING_NOW
from vertexkit.journal.postgres.limits import STARTED as STARTED_NOW
from vertexkit.journal.postgres.statements import NOW, is_unfinished
from vertexkit.journal.protocol import HistoryEvent, Query, Record, WorkerRecord
from vertexkit.journal.state.row import keeps_secrets

INPUTS = "SELECT inputs FROM vertexkit.executions WHERE id = %s"
AFTER_ALL_DIGITS = "~"
"""Sorts after all characters of an id."""
TIME = NOW.replace("$1", "%(ahead)s::float8")
RUNNING, STARTED = RUNNING_NOW.format(now=TIME), STARTED_NOW.format(now=TIME)
LIMITED_BY = f"""
CASE WHEN phase IN ('waiting', 'suspended') AND strpos(queue, '#') > 0 AND due_at <= {TIME} THEN (
    SELECT CASE
        WHEN gate.running > 0 AND {RUNNING} >= gate.running THEN '{CONCURRENCY}'
        WHEN gate.starts > 0 AND phase <> 'suspended' AND {STARTED} >= gate.starts THEN '{RATE}'
        ELSE '' END
    FROM vertexkit.limits AS gate, (SELECT executions.queue AS name) AS queue
    WHERE gate.name = executions.block
) ELSE '' END
"""
"""The limit that an execution waits for."""
SHOWN_PHASE = f"CASE WHEN phase = 'suspended' AND due_at <= {TIME} THEN 'waiting' ELSE phase END"
"""The table has `suspended` until the execution is claimed: its next claim is not an attempt."""
ENDING_CODE = "coalesce(ending_code, code)"
"""The first version of the schema had one column for the codes of the result and of the outcome."""
RECORDS = f"""
SELECT id, block, {SHOWN_PHASE} AS phase, attempts, accepted_at, dialog, worker, claimed_at, result,
    code, result_recorded_at, completion_tried_at, completion_tries, ended_at, ending, confirmed_by,
    {ENDING_CODE} AS ending_code, reason, history::text AS history, token IS NOT NULL AS has_token,
    CASE WHEN phase IN ('waiting', 'suspended') AND due_at > {TIME} THEN due_at END AS due_at,
    {LIMITED_BY} AS limited_by
FROM vertexkit.executions
"""
EFFECTS = """
SELECT execution, position, kind, digest, state, value, began, ended FROM vertexkit.effects
WHERE execution = ANY (%s) ORDER BY execution, position
"""
WORKERS = f"""
SELECT coalesce(worker.worker, holding.worker) AS worker, coalesce(held, 0) AS held,
    coalesce(host, '') AS host, pid, coalesce(version, '') AS version,
    coalesce(blocks, '{{}}') AS blocks, started_at, seen_at, stopped_at
FROM vertexkit.workers AS worker FULL JOIN (
    SELECT worker, count(*) AS held FROM vertexkit.executions
    WHERE {is_unfinished("executions")} AND worker <> '' GROUP BY worker
) AS holding ON holding.worker = worker.worker
ORDER BY started_at, 1
"""
FILTERS = {
    "phase": f"{SHOWN_PHASE} = %(phase)s",
    "status": "ending = %(status)s",
    "block": "block = %(block)s",
    "dialog": "dialog = %(dialog)s",
    "code": f"CASE WHEN ending IS NULL THEN code ELSE {ENDING_CODE} END = %(code)s",
    "since": "accepted_at >= %(since)s",
    "waiting_for": """
        phase <> 'settled' AND EXISTS (
            SELECT FROM vertexkit.effects AS effect
            WHERE effect.execution = executions.id AND effect.kind = 'wait:' || %(waiting_for)s
                AND effect.state = 'intended')""",
    "prefix": "id >= %(prefix)s AND id < %(prefix_end)s",
}

WAITING_FOR_LIMIT = f"{LIMITED_BY} = ANY (%(limits)s)"

Reading: TypeAlias = psycopg.AsyncConnection[DictRow]


async def read_one(
    connection: Reading, execution: str, ahead: float, cipher: Cipher
) -> Record | None:
    """Read an execution; None if it is not stored."""
    values = {"ahead": ahead, "id": execution}
    cursor = await connection.execute(f"{RECORDS} WHERE id = %(id)s".encode(), values)
    records = await _records(connection, await cursor.fetchall(), cipher)
    return records[0] if records else None


async def read_inputs(connection: Reading, execution: str, cipher: Cipher) -> dict[str, Any] | None:
    """Read the inputs of a call; None if they are not stored (any more)."""
    row = await (await connection.execute(INPUTS, (execution,))).fetchone()
    if row is None or row["inputs"] is None:
        return None
    inputs: dict[str, Any] = from_json(cipher.open(f"inputs {execution}", row["inputs"]))
    return inputs


async def search(connection: Reading, query: Query, ahead: float, cipher: Cipher) -> list[Record]:
    """Read the executions that match, newest first."""
    values: dict[str, Any] = {
        "ahead": ahead,
        "phase": query.phase,
        "status": query.status,
        "block": query.block,
        "dialog": query.dialog,
        "code": query.code,
        "since": query.since,
        "prefix": query.prefix,
        "waiting_for": query.waiting_for,
    }
    conditions = [
        FILTERS[name] for name, value in values.items() if value is not None and name in FILTERS
    ]
    if query.waiting_for in {LIMIT, *LIMITS}:
        index = conditions.index(FILTERS["waiting_for"])
        conditions[index] = f"({conditions[index]} OR {WAITING_FOR_LIMIT})"
        values["limits"] = [*LIMITS] if query.waiting_for == LIMIT else [query.waiting_for]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    values |= {"limit": query.limit, "prefix_end": f"{query.prefix}{AFTER_ALL_DIGITS}"}
    cursor = await connection.execute(
        f"{RECORDS} {where} ORDER BY id DESC LIMIT %(limit)s".encode(), values
    )
    return await _records(connection, await cursor.fetchall(), cipher)


async def read_effects(
    connection: psycopg.AsyncConnection[Any], executions: Sequence[str], cipher: Cipher
) -> dict[str, dict[int, Effect]]:
    """Read the effects of executions, by id and position."""
    if not executions:
        return {}
    cursor = await connection.execute(EFFECTS, (list(executions),))
    found: dict[str, dict[int, Effect]] = {}
    for row in await cursor.fetchall():
        position, kind = row["position"], row["kind"]
        place = effect_place(row["execution"], position, kind)
        digest, value = open_effect(cipher, place, row["digest"], row["value"] or b"")
        state = EffectState(row["state"])
        effect = Effect(position, kind, digest, state, value, row["began"], row["ended"])
        found.setdefault(row["execution"], {})[position] = effect
    return found


async def read_workers(connection: Reading) -> list[WorkerRecord]:
    """Read the workers of the last day, in the order in which they started."""
    rows = await (await connection.execute(WORKERS.encode())).fetchall()
    return [WorkerRecord(**row | {"blocks": tuple(row["blocks"])}) for row in rows]


async def _records(connection: Reading, rows: Sequence[DictRow], cipher: Cipher) -> list[Record]:
    effects = await read_effects(connection, [row["id"] for row in rows], cipher)
    return [_record(row, effects.get(row["id"], {}).values(), cipher) for row in rows]


def _record(row: DictRow, effects: Iterable[Effect], cipher: Cipher) -> Record:
    outcome, result, name = None, None, row["id"]
    if row["ending"] is not None:
        status = OutcomeStatus(row["ending"])
        reason = open_text(cipher, f"reason {name}", row["reason"])
        outcome = Outcome(status, row["ending_code"], row["confirmed_by"], reason)
    if row["result"] is not None:
        result = Result(cipher.open(f"result {name}", row["result"]), row["code"])
    return Record(
        execution=row["id"],
        block=row["block"],
        phase=Phase(row["phase"]),
        attempts=row["attempts"],
        accepted_at=row["accepted_at"],
        effects=tuple(effects),
        result=result,
        outcome=outcome,
        dialog=row["dialog"],
        worker=row["worker"],
        claimed_at=row["claimed_at"],
        due_at=row["due_at"],
        result_recorded_at=row["result_recorded_at"],
        completion_tried_at=row["completion_tried_at"],
        completion_tries=row["completion_tries"],
        ended_at=row["ended_at"],
        history=tuple(
            HistoryEvent(at, event, open_marked_text(cipher, f"history {name}", detail))
            for at, event, detail in from_json(row["history"] or "[]")
        ),
        limited_by=row["limited_by"] or "",
        retryable=row["has_token"] and (outcome is None or keeps_secrets(outcome)),
    )
