"""The statements that accept calls, and find the executions that calls repeat."""

from vertexkit.journal.postgres.arrays import (
    BIGINTS,
    BINARIES,
    BOOLEAN,
    BYTES,
    DOUBLES,
    OPTIONAL_TEXTS,
    TEXTS,
)
from vertexkit.journal.postgres.statements import is_unfinished, statement, unfinished_of

BACKLOG = f"""
(SELECT count(*) FROM vertexkit.executions WHERE {is_unfinished("executions")}
 AND (phase NOT IN ('running', 'suspended') OR due_at <= {{now}}))
"""
CALLS = """
SELECT * FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) WITH ORDINALITY
AS call (id, block, key, dialog, accepted_at, room, trace, limit_key, token, inputs, raw, number)
"""
CALL_CODECS = (
    *(BOOLEAN, TEXTS, TEXTS, BINARIES, BIGINTS, DOUBLES, BIGINTS),
    *(TEXTS, OPTIONAL_TEXTS, BINARIES, BINARIES, BINARIES),
)
COLUMNS_OF_CALL = """
(id, block, queue, key, dialog, accepted_at, due_at, follows, trace, limit_key, token, inputs, raw)
"""
QUEUE_OF_CALL = "coalesce(call.block || '#' || call.limit_key, call.block)"
"""An execution with a limit waits in a queue of its key."""
ACCEPT = statement(
    "accept",
    f"""
WITH call AS ({CALLS}), added AS (
    INSERT INTO vertexkit.executions {COLUMNS_OF_CALL}
    SELECT call.id, call.block, {QUEUE_OF_CALL}, call.key, call.dialog, call.accepted_at, {{now}},
        latest.id, call.trace, call.limit_key, call.token, call.inputs, call.raw
    FROM call LEFT JOIN LATERAL (
        SELECT id, completion_tried FROM {unfinished_of("call.key")} AS earlier
        ORDER BY earlier.number DESC LIMIT 1
    ) AS latest ON true
    WHERE (latest.id IS NULL OR latest.completion_tried)
        AND CASE WHEN $2 THEN {BACKLOG} + call.number <= call.room ELSE true END
    ORDER BY call.number
    ON CONFLICT DO NOTHING
    RETURNING id, follows
), superseded AS (
    UPDATE vertexkit.executions AS earlier SET superseded = true
    FROM added WHERE earlier.id = added.follows
)
SELECT id, follows FROM added
""",
    *CALL_CODECS,
)
"""A call that repeats one whose completion has not been tried violates the unique index
`executions_accepting_duplicates`, also if both arrive at once: it is not added."""
ACCEPT_UNIQUE = statement(
    "accept_unique",
    f"""
WITH call AS ({CALLS}), claimed AS (
    INSERT INTO vertexkit.tokens AS token (key, execution)
    SELECT DISTINCT ON (call.key) call.key, call.id FROM call
    WHERE CASE WHEN $2 THEN {BACKLOG} + call.number <= call.room ELSE true END
    ORDER BY call.key, call.number
    ON CONFLICT (key) DO UPDATE SET execution = excluded.execution, ended_at = NULL
    WHERE token.ended_at <= {{now}} - 86400
    RETURNING execution
), added AS (
    INSERT INTO vertexkit.executions {COLUMNS_OF_CALL}
    SELECT call.id, call.block, {QUEUE_OF_CALL}, call.key, call.dialog, call.accepted_at, {{now}},
        NULL, call.trace, call.limit_key, call.token, call.inputs, call.raw
    FROM call JOIN claimed ON claimed.execution = call.id
    ORDER BY call.number
    RETURNING id
)
SELECT id, NULL::text FROM added
""",
    *CALL_CODECS,
)
"""As ACCEPT, if tokens are unique. The number is `state.duplicates.DUPLICATE_SECONDS`."""
FIND_DUPLICATED = statement(
    "find_duplicated",
    f"""
SELECT latest.id, latest.completion_tried, {BACKLOG}
FROM (SELECT) AS one LEFT JOIN LATERAL (
    SELECT id, completion_tried FROM {unfinished_of("$2", "FOR KEY SHARE")} AS earlier
    ORDER BY earlier.number DESC LIMIT 1
) AS latest ON true
""",
    BYTES,
)
FIND_DUPLICATED_UNIQUE = statement(
    "find_duplicated_unique",
    f"""
SELECT latest.execution, false, {BACKLOG}
FROM (SELECT) AS one LEFT JOIN LATERAL (
    SELECT execution FROM vertexkit.tokens WHERE key = $2 FOR KEY SHARE
) AS latest ON true
""",
    BYTES,
)
"""Which execution a call that was not added repeats, and the backlog.

The lock makes the commit wait for the disk and for a synchronous standby: the acceptance that is
acknowledged a second time may be visible, but still wait for them."""
ACCEPTANCE_STATEMENTS = (ACCEPT, FIND_DUPLICATED)
"""Statements of the writing connection that are worth planning once."""
