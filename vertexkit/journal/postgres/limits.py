"""Claiming where a limit holds over all processes: the statements, and what they are given.

An execution with a limit waits in a queue of its own, `block#key`: executions without limits pay
nothing for those that have some. A claim first locks the limits that it applies (`LOCK`), in a
statement of its own, so that the next one (`CLAIM_LIMITED`) counts what all earlier claims have
changed; it uses the limits that its own transaction has locked. A limit that another process has
locked is skipped, never waited for.
"""

from collections.abc import Mapping
from typing import Any

from psycopg.pq.abc import PGresult

from vertexkit.journal.limits import NO_LIMITS, FleetLimits
from vertexkit.journal.postgres.arrays import (
    BIGINT,
    BIGINTS,
    BOOLEAN,
    DOUBLE,
    DOUBLES,
    TEXT,
    TEXTS,
    read_bigint,
)
from vertexkit.journal.postgres.statements import (
    CHANGES_OF_CLAIM,
    NOT_FOLLOWING,
    is_unfinished,
    statement,
)

LIMIT_OF_APP = ""
"""Name of the limit of all blocks together."""
MARGIN_SECONDS = 0.5
"""How long an expired lease still counts as a running handler: its renewal may be on its way."""
RETRY_SECONDS = 0.02
"""Pause before a claim is repeated that another process has kept from a limit."""

KEYS_OF_CLAIM = 200
"""Keys of a block that one claim looks at; the next claim continues with others."""
RUNNING = f"""
(SELECT count(*) FROM vertexkit.executions AS held
 WHERE held.queue = queue.name AND held.phase = 'running'
    AND held.due_at > {{now}} - {MARGIN_SECONDS} AND {is_unfinished("held")})
"""
STARTED = """
(SELECT count(*) FROM vertexkit.starts AS start
 WHERE start.queue = queue.name AND start.until > {now})
"""
ADD_LIMITS = statement(
    "add_limits",
    """
INSERT INTO vertexkit.limits (name) SELECT * FROM unnest($2) WHERE {now} > 0
ON CONFLICT DO NOTHING
""",
    TEXTS,
)
LOCK = statement(
    "lock_limits",
    """
UPDATE vertexkit.limits AS gate
SET holder = txid_current(), starts = own.starts, running = own.running
FROM (
    SELECT name FROM vertexkit.limits WHERE name = ANY ($2) AND {now} > 0
    ORDER BY name FOR UPDATE SKIP LOCKED
) AS free JOIN unnest($2, $3, $4) AS own (name, starts, running) ON own.name = free.name
WHERE gate.name = free.name
RETURNING gate.name
""",
    *(TEXTS, BIGINTS, BIGINTS),
)
CANDIDATE = f"""
SELECT free.*, waiting.*, {{kind}} AS kind
FROM free CROSS JOIN LATERAL (
    SELECT id, worker, phase, claimed_at, due_at FROM vertexkit.executions AS candidate
    WHERE candidate.queue = free.name AND {is_unfinished("candidate")}
        AND (candidate.due_at <= {{{{now}}}} OR ($5 AND candidate.worker = ''))
        AND {{condition}} AND {NOT_FOLLOWING}
    ORDER BY candidate.due_at LIMIT {{places}} FOR UPDATE SKIP LOCKED
) AS waiting
"""
IS_OVERDUE = "candidate.due_at <= {now} - free.max_wait"
OVERDUE, RESUMED, FRESH = 0, 1, 2
CANDIDATES = " UNION ALL ".join(
    (
        CANDIDATE.format(
            kind=OVERDUE,
            condition=f"free.limited AND candidate.phase <> 'suspended' AND {IS_OVERDUE}",
            places="free.room",
        ),
        CANDIDATE.format(
            kind=RESUMED,
            condition="free.limited AND candidate.phase = 'suspended'",
            places="least(free.room, free.slots)",
        ),
        CANDIDATE.format(
            kind=FRESH,
            condition="(NOT free.limited OR (candidate.phase <> 'suspended' "
            f"AND NOT {IS_OVERDUE}))",
            places="least(free.room, free.slots, free.starts)",
        ),
    )
)
CLAIM_LIMITED = statement(
    "claim_limited",
    f"""
WITH RECURSIVE place AS MATERIALIZED (
    SELECT place.*, starts > 0 OR running > 0 AS has_limits, EXISTS (
        SELECT FROM vertexkit.limits AS gate
        WHERE gate.name = place.block AND gate.holder = txid_current()) AS locked
    FROM unnest($6, $7, $8, $9, $10, $11)
        AS place (block, room, starts, period, running, max_wait)
), upper (block, name, number) AS (
    SELECT block, (block || '#' || $13) COLLATE "C", 0 FROM place
    WHERE block <> '' AND (locked OR NOT has_limits)
    UNION ALL
    SELECT upper.block, next.queue, upper.number + 1
    FROM upper CROSS JOIN LATERAL (
        SELECT queue FROM vertexkit.executions AS execution
        WHERE {is_unfinished("execution")} AND execution.queue > upper.name
            AND execution.queue < upper.block || '$' ORDER BY execution.queue LIMIT 1
    ) AS next WHERE upper.number < {KEYS_OF_CLAIM}
), lower (block, name, number) AS (
    SELECT block, (block || '"') COLLATE "C", 0 FROM place
    WHERE block <> '' AND (locked OR NOT has_limits)
    UNION ALL
    SELECT lower.block, next.queue, lower.number + 1
    FROM lower CROSS JOIN LATERAL (
        SELECT queue FROM vertexkit.executions AS execution
        WHERE {is_unfinished("execution")} AND execution.queue > lower.name
            AND execution.queue <= lower.block || '#' || $13 ORDER BY execution.queue LIMIT 1
    ) AS next WHERE lower.number < {KEYS_OF_CLAIM}
), queue AS (
    SELECT block AS name, block, false AS limited FROM place
    UNION ALL SELECT name, block, true FROM upper WHERE number > 0
    UNION ALL SELECT lower.name, lower.block, true FROM lower
    WHERE lower.number BETWEEN 1 AND {KEYS_OF_CLAIM}
        - (SELECT count(*) - 1 FROM upper WHERE upper.block = lower.block)
), counted AS MATERIALIZED (
    SELECT queue.*, CASE WHEN queue.limited THEN {RUNNING} ELSE 0 END AS running FROM queue
), app AS MATERIALIZED (
    SELECT CASE WHEN $12 = 0 THEN $4
        WHEN EXISTS (SELECT FROM vertexkit.limits WHERE name = '' AND holder = txid_current())
        THEN greatest(0, $12 - (
            SELECT count(*) FROM vertexkit.executions AS held
            WHERE held.phase = 'running' AND held.due_at > {{now}} - {MARGIN_SECONDS}
                AND {is_unfinished("held")}))
        ELSE 0 END AS room
), free AS MATERIALIZED (
    SELECT queue.name, queue.limited, place.room, place.max_wait, place.period,
        queue.limited AND place.starts > 0 AS is_rated,
        CASE WHEN queue.limited AND place.running > 0
            THEN greatest(0, place.running - queue.running) ELSE place.room END AS slots,
        CASE WHEN queue.limited AND place.starts > 0
            THEN greatest(0, place.starts - {STARTED}) ELSE place.room END AS starts
    FROM counted AS queue JOIN place ON place.block = queue.block
), candidate AS MATERIALIZED ({CANDIDATES}), in_key AS (
    SELECT *, row_number() OVER (PARTITION BY name, kind = {OVERDUE} ORDER BY kind, due_at)
        AS number
    FROM candidate
), in_block AS (
    SELECT *, row_number() OVER (PARTITION BY split_part(name, '#', 1) ORDER BY due_at) AS place
    FROM in_key WHERE kind = {OVERDUE} OR number <= slots
), in_app AS (
    SELECT *, row_number() OVER (PARTITION BY name = '' ORDER BY due_at) AS turn
    FROM in_block WHERE place <= room
), due AS MATERIALIZED (
    SELECT * FROM in_app WHERE name = '' OR turn <= (SELECT room FROM app)
    ORDER BY name <> '', due_at LIMIT $4
), started AS (
    INSERT INTO vertexkit.starts (queue, until)
    SELECT name, {{now}} + period FROM due WHERE is_rated AND kind = {FRESH}
)
{CHANGES_OF_CLAIM}, execution.queue, due.kind = {OVERDUE}
""",
    *(TEXT, DOUBLE, BIGINT, BOOLEAN, TEXTS, BIGINTS),
    *(BIGINTS, DOUBLES, BIGINTS, DOUBLES, BIGINT, TEXT),
)
"""As CLAIM; the last parameter is the key at which it starts.

For each key the oldest executions are taken as far as the limits of their block allow; of these,
the oldest ones of each block, and of the app."""
WAITING = statement(
    "waiting_for_limits",
    f"""
SELECT gate.name, sum(key.waiting)::bigint
FROM (
    SELECT queue, split_part(queue, '#', 1) AS block,
        count(*) FILTER (WHERE phase IN ('waiting', 'suspended') AND due_at <= {{now}}) AS waiting,
        count(*) FILTER (WHERE phase = 'running' AND due_at > {{now}} - {MARGIN_SECONDS}) AS running
    FROM vertexkit.executions WHERE {is_unfinished("executions")} AND strpos(queue, '#') > 0
    GROUP BY queue
) AS key JOIN vertexkit.limits AS gate ON gate.name = key.block LEFT JOIN (
    SELECT queue, count(*) AS number FROM vertexkit.starts WHERE until > {{now}} GROUP BY queue
) AS started ON started.queue = key.queue
WHERE key.waiting > 0 AND ((gate.running > 0 AND key.running >= gate.running)
    OR (gate.starts > 0 AND started.number >= gate.starts))
GROUP BY gate.name
""",
)
"""How many executions wait for a limit, by block."""
PREPARED_LIMITS = (LOCK, CLAIM_LIMITED)
"""Statements of the writing connection that are worth planning once."""
DELETE_STARTS = statement("delete_starts", "DELETE FROM vertexkit.starts WHERE until <= {now}")


def lock_values(limits: FleetLimits) -> tuple[list[str], list[int], list[int]]:
    """Return the values of LOCK: names, starts and running handlers."""
    names, starts, running = [*limits.blocks], list[int](), list[int]()
    for block in limits.blocks.values():
        starts.append(block.rate.number if block.rate is not None else 0)
        running.append(block.running or 0)
    if limits.running is not None:
        names.append(LIMIT_OF_APP)
        starts.append(0)
        running.append(limits.running)
    return names, starts, running


def claim_values(
    claim: tuple[Any, ...], rooms: Mapping[str, int], limits: FleetLimits, start: str
) -> tuple[Any, ...]:
    """Return the values of CLAIM_LIMITED.

    Args:
        claim: the values of CLAIM before the rooms.
        rooms: by queue.
        start: the first key that is looked at; after the last one follow those before it.
        limits: of the app.
    """
    blocks = [limits.blocks.get(queue, NO_LIMITS) for queue in rooms]
    return (
        *claim,
        list(rooms),
        list(rooms.values()),
        [block.rate.number if block.rate is not None else 0 for block in blocks],
        [block.rate.seconds if block.rate is not None else 0.0 for block in blocks],
        [block.running or 0 for block in blocks],
        [block.max_wait for block in blocks],
        limits.running or 0,
        start,
    )


def read_waiting(result: PGresult) -> dict[str, int]:
    """Read the rows of WAITING."""
    return {
        (result.get_value(row, 0) or b"").decode(): read_bigint(result.get_value(row, 1) or b"")
        for row in range(result.ntuples)
    }
