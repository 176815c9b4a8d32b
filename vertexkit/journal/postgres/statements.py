"""The statements of the hot path: one for each kind of write, with all rows of a group.

Every rule is applied in the statement that changes the row: a write finds its row by id, epoch and
worker, and changes nothing if another worker has claimed it. The first parameter of each statement
is what the service's clock is ahead of real time: zero outside of tests. All times are Unix seconds
of the server's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vertexkit.journal.postgres.arrays import (
    BIGINT,
    BIGINTS,
    BINARIES,
    BOOLEAN,
    BOOLEANS,
    DOUBLE,
    DOUBLES,
    TEXT,
    TEXTS,
    Codec,
)

NOW = "(extract(epoch FROM statement_timestamp())::float8 + $1)"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that can be prepared."""

    name: str
    sql: str
    codecs: tuple[Codec, ...]
    """Of the parameters."""

    def encode(self, values: Sequence[Any]) -> list[bytes]:
        """Encode the parameters."""
        return [codec.encode(value) for codec, value in zip(self.codecs, values, strict=True)]


def statement(name: str, sql: str, *codecs: Codec) -> Statement:
    """Make a statement of the hot path.

    Args:
        name: of the prepared statement.
        sql: with `{now}` where the time is needed.
        *codecs: of the parameters after the first one.
    """
    return Statement(f"vertexkit_{name}", sql.replace("{now}", NOW), (DOUBLE, *codecs))


def is_unfinished(table: str) -> str:
    """Return the condition of the index `executions_due`, for a table or its alias.

    `due_at` is never negative. Its condition keeps searches by another column from this index: while
    the statistics say that no execution is unfinished, the server would read the whole index.
    """
    return f"{table}.phase <> 'settled' AND {table}.due_at >= 0"


POLL = statement(
    "poll",
    f"""
SELECT split_part(queue, '#', 1), sum(backlog)::bigint, sum(due)::bigint, sum(suspended)::bigint,
    count(*) FILTER (WHERE strpos(queue, '#') > 0)
FROM (SELECT queue, count(*) FILTER (WHERE due_at <= {{now}}) AS due,
        count(*) FILTER (WHERE phase NOT IN ('running', 'suspended') OR due_at <= {{now}}) AS backlog,
        count(*) FILTER (WHERE phase = 'suspended' AND due_at > {{now}}) AS suspended
    FROM vertexkit.executions WHERE {is_unfinished("executions")} GROUP BY queue) AS counted
GROUP BY 1
""",
)
"""On the writing connection, before the other writes of its group: then the counts have exactly
what this process has written before. By queue first: `count(DISTINCT queue)` would sort all rows."""


def unfinished_of(key: str, lock: str = "") -> str:
    """Return a table with `id`, `completion_tried` and `number` of the unfinished executions of a call.

    Each part has the condition of an index. Without these conditions all unfinished executions would
    be read, with all the dead rows that autovacuum has not removed yet.

    Args:
        key: of the call, as an expression.
        lock: of the rows.
    """
    parts = (
        f"""
SELECT * FROM (SELECT id, completion_tried, number FROM vertexkit.executions
    WHERE executions.key = {key} AND phase <> 'settled' AND {condition} {lock}) AS part"""
        for condition in ("completion_tried", "NOT completion_tried")
    )
    return f"({' UNION ALL '.join(parts)})"


NOT_FOLLOWING = f"""
(candidate.follows IS NULL OR NOT EXISTS (
    SELECT FROM {unfinished_of("candidate.key")} AS earlier
    WHERE earlier.number < candidate.number))
"""
CHANGES_OF_CLAIM = """
UPDATE vertexkit.executions AS execution
SET epoch = execution.epoch + 1 + floor(random() * 1000000000)::bigint, worker = $2,
    due_at = {now} + $3,
    phase = CASE WHEN execution.result IS NULL THEN 'running' ELSE 'completing' END,
    attempts = execution.attempts
        + CASE WHEN execution.result IS NULL AND due.phase <> 'suspended' THEN 1 ELSE 0 END,
    woken = false,
    claimed_at = coalesce(execution.claimed_at, {now}),
    history = CASE WHEN due.worker = '' AND execution.claimed_at IS NULL THEN execution.history
        ELSE coalesce(execution.history, '[]')
        || CASE WHEN due.worker = '' THEN '[]' ELSE jsonb_build_array(jsonb_build_array({now},
            'lease_expired', 'worker ' || due.worker || ' did not renew its lease in time')) END
        || CASE WHEN execution.result IS NOT NULL OR due.phase = 'suspended' THEN '[]'
            ELSE jsonb_build_array(
            jsonb_build_array({now}, 'claimed',
                'run ' || (execution.attempts + 1) || ', by worker ' || $2)) END
        END
FROM due WHERE execution.id = due.id
RETURNING execution.id, execution.block, execution.token, execution.inputs, execution.raw,
    execution.accepted_at, execution.trace, execution.epoch, execution.attempts, execution.result,
    execution.code, execution.completion_tried AND execution.completion_tried_at IS NOT NULL,
    due.worker <> '' AND due.phase = 'running',
    execution.number, execution.ran, due.claimed_at IS NOT NULL
"""
"""What a claim changes in the executions `due`, and what it returns.

The commit of a claim does not wait for the disk, so the death of the server may undo it after a
handler has started. A part of the epoch is random: then the next claim gets another epoch, and the
writes of that handler are rejected."""
CLAIM = statement(
    "claim",
    f"""
WITH due AS MATERIALIZED (
    SELECT waiting.* FROM unnest($6, $7) AS place (queue, room)
    CROSS JOIN LATERAL (
        SELECT id, worker, phase, claimed_at FROM vertexkit.executions AS candidate
        WHERE candidate.queue = place.queue AND {is_unfinished("candidate")}
            AND (candidate.due_at <= {{now}} OR ($5 AND candidate.worker = ''))
            AND {NOT_FOLLOWING}
        ORDER BY candidate.due_at LIMIT place.room FOR UPDATE SKIP LOCKED
    ) AS waiting
    LIMIT $4
)
{CHANGES_OF_CLAIM}
""",
    *(TEXT, DOUBLE, BIGINT, BOOLEAN, TEXTS, BIGINTS),
)
"""`due_at` of an execution that a worker holds is the end of its lease."""
RENEW = statement(
    "renew",
    """
UPDATE vertexkit.executions AS execution SET due_at = {now} + $3
FROM unnest($4, $5) AS held (id, epoch)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = $2
    AND (execution.due_at > {now} OR NOT $6)
RETURNING execution.id, execution.superseded
""",
    *(TEXT, DOUBLE, TEXTS, BIGINTS, BOOLEAN),
)
"""The last parameter: a lease that has expired is lost. Its place may have been given away."""
EXPIRE_WORKER = statement(
    "expire_worker",
    f"""
UPDATE vertexkit.executions SET due_at = {{now}}
WHERE worker = $2 AND phase IN ('running', 'completing') AND {is_unfinished("executions")}
""",
    TEXT,
)
RELEASE_UNKNOWN = statement(
    "release_unknown",
    f"""
UPDATE vertexkit.executions
SET phase = 'waiting', worker = '', due_at = {{now}},
    attempts = attempts - CASE WHEN phase = 'running' THEN 1 ELSE 0 END
WHERE worker = $2 AND phase IN ('running', 'completing') AND {is_unfinished("executions")}
    AND (id, epoch) NOT IN (SELECT * FROM unnest($3, $4))
""",
    *(TEXT, TEXTS, BIGINTS),
)
"""After a claim whose answer was lost: no handler of what it has claimed has started. A handler may
still run under an earlier claim of the same execution, which the server has forgotten."""
EFFECTS_OF = statement(
    "effects_of",
    """
SELECT execution, position, kind, digest, state, value, began, ended FROM vertexkit.effects
WHERE execution = ANY ($2) AND {now} > 0 ORDER BY execution, position
""",
    TEXTS,
)
LEASES = (TEXTS, BIGINTS, TEXTS)
EFFECTS = statement(
    "effects",
    """
WITH held AS MATERIALIZED (
    SELECT effect.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY
        AS effect (id, epoch, worker, position, kind, digest, state, value, number)
    CROSS JOIN LATERAL (
        SELECT FROM vertexkit.executions AS execution
        WHERE execution.id = effect.id AND execution.epoch = effect.epoch
            AND execution.worker = effect.worker
        FOR UPDATE
    ) AS execution
), written AS (
    INSERT INTO vertexkit.effects AS earlier
        (execution, position, kind, digest, state, value, began, ended)
    SELECT id, position, kind, digest, state, value, {now}, {now} FROM held
    ON CONFLICT (execution, position) DO UPDATE
    SET kind = excluded.kind, digest = excluded.digest, state = excluded.state,
        value = excluded.value, ended = excluded.ended,
        began = CASE WHEN earlier.kind = excluded.kind THEN earlier.began ELSE excluded.began END
)
SELECT number FROM held
""",
    *(*LEASES, BIGINTS, TEXTS, TEXTS, TEXTS, BINARIES),
)
"""The lock on the execution's row makes a claim by another worker wait until the effect is
written, or the effect wait and find another epoch."""
RECORD_RESULT = statement(
    "result",
    """
UPDATE vertexkit.executions AS execution
SET phase = 'completing', queue = '', result = held.result, code = held.code,
    result_recorded_at = {now},
    completion_tried = execution.completion_tried OR held.completing,
    completion_tries = execution.completion_tries + CASE WHEN held.completing THEN 1 ELSE 0 END,
    completion_tried_at = CASE WHEN held.completing THEN {now}
        ELSE execution.completion_tried_at END
FROM unnest($2, $3, $4, $5, $6, $7) WITH ORDINALITY
    AS held (id, epoch, worker, result, code, completing, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number, execution.woken
""",
    *(*LEASES, BINARIES, TEXTS, BOOLEANS),
)
"""An execution that is woken has events that its lease did not contain."""
BEGIN_COMPLETION = statement(
    "begin_completion",
    """
UPDATE vertexkit.executions AS execution
SET completion_tried = execution.completion_tried OR NOT execution.superseded,
    completion_tries = execution.completion_tries
        + CASE WHEN execution.superseded THEN 0 ELSE 1 END,
    completion_tried_at = CASE WHEN execution.superseded THEN execution.completion_tried_at
        ELSE {now} END
FROM unnest($2, $3, $4) WITH ORDINALITY AS held (id, epoch, worker, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number, execution.superseded
""",
    *LEASES,
)
WITHDRAW_COMPLETION = statement(
    "withdraw_completion",
    """
UPDATE vertexkit.executions AS execution
SET completion_tried = execution.completion_tried AND execution.superseded
FROM unnest($2, $3, $4) WITH ORDINALITY AS held (id, epoch, worker, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number
""",
    *LEASES,
)
REFUSE_COMPLETION = statement(
    "refuse_completion",
    """
UPDATE vertexkit.executions AS execution
SET completion_tried_at = NULL
FROM unnest($2, $3, $4) WITH ORDINALITY AS held (id, epoch, worker, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number
""",
    *LEASES,
)
RELEASE = statement(
    "release",
    """
UPDATE vertexkit.executions AS execution
SET phase = 'waiting', worker = '', due_at = {now} + held.after,
    history = coalesce(execution.history, '[]') || jsonb_build_array(jsonb_build_array({now},
        CASE WHEN held.after > 0 OR held.reason <> '' THEN 'retried' ELSE 'released' END,
        held.reason))
FROM unnest($2, $3, $4, $5, $6) WITH ORDINALITY
    AS held (id, epoch, worker, after, reason, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number
""",
    *(*LEASES, DOUBLES, TEXTS),
)
SUSPEND = statement(
    "suspend",
    """
UPDATE vertexkit.executions AS execution
SET phase = 'suspended', worker = '', ran = execution.ran + held.ran,
    due_at = {now} + CASE WHEN execution.woken THEN 0 ELSE held.after END
FROM unnest($2, $3, $4, $5, $6) WITH ORDINALITY AS held (id, epoch, worker, after, ran, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number, execution.woken
""",
    *(*LEASES, DOUBLES, DOUBLES),
)
SETTLE = statement(
    "settle",
    """
UPDATE vertexkit.executions AS execution
SET phase = 'settled', worker = '', ending = held.ending, ending_code = held.code,
    confirmed_by = held.confirmed_by, reason = held.reason, ended_at = {now},
    token = CASE WHEN held.kept THEN execution.token END,
    inputs = CASE WHEN held.kept THEN execution.inputs END,
    raw = CASE WHEN held.kept THEN execution.raw END,
    result = CASE WHEN held.kept THEN execution.result END,
    code = CASE WHEN held.kept THEN execution.code END
FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY
    AS held (id, epoch, worker, ending, code, confirmed_by, reason, kept, number)
WHERE execution.id = held.id AND execution.epoch = held.epoch AND execution.worker = held.worker
RETURNING held.number, execution.superseded
""",
    *(*LEASES, TEXTS, TEXTS, TEXTS, TEXTS, BOOLEANS),
)
ERASE_STEP_VALUES = statement(
    "erase_step_values",
    """
UPDATE vertexkit.effects AS effect SET value = NULL
FROM unnest($2) AS ended (id)
JOIN vertexkit.executions AS execution ON execution.id = ended.id
WHERE effect.execution = ended.id AND effect.kind <> 'send' AND execution.phase = 'settled'
    AND execution.token IS NULL AND {now} > 0
""",
    TEXTS,
)
END_TOKENS = statement(
    "end_tokens",
    """
UPDATE vertexkit.tokens AS token SET ended_at = {now}
FROM unnest($2) AS ended (id)
JOIN vertexkit.executions AS execution ON execution.id = ended.id
WHERE token.key = execution.key AND token.execution = ended.id AND execution.phase = 'settled'
""",
    TEXTS,
)
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
CONFIGURE = Statement(
    "vertexkit_configure",
    """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
    set_config('synchronous_commit', $1, true)
""",
    (TEXT,),
)
"""For one transaction. Without statistics the server would read and compile too much."""
PREPARED = (
    CONFIGURE,
    *(POLL, CLAIM, RENEW, EFFECTS, RECORD_RESULT),
    *(BEGIN_COMPLETION, WITHDRAW_COMPLETION, REFUSE_COMPLETION, RELEASE, SUSPEND, SETTLE),
    ERASE_STEP_VALUES,
    END_TOKENS,
)
"""Statements of the writing connection that are worth planning once."""
