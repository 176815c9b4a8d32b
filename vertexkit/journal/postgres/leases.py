"""Reading leases, with the effects of earlier runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from psycopg.pq.abc import PGresult
from pydantic_core import from_json

from vertexkit.execution import Effect, EffectState, Execution, Result
from vertexkit.journal.postgres.arrays import read_bigint, read_boolean, read_double
from vertexkit.journal.protocol import Lease
from vertexkit.token import Token

LIMITED_COLUMN = 15
"""From here on are the columns that only CLAIM_LIMITED returns."""


def read_leases(claimed: PGresult, worker: str) -> list[Lease]:
    """Read the rows of CLAIM or CLAIM_LIMITED, those that were accepted first in front; without effects."""
    rows = [
        [claimed.get_value(row, column) or b"" for column in range(claimed.nfields)]
        for row in range(claimed.ntuples)
    ]
    rows.sort(key=lambda row: row[13])  # a positive `bigint`: its bytes sort as the numbers do
    return [_read_lease(row, worker) for row in rows]


def _read_lease(row: Sequence[bytes], worker: str) -> Lease:
    has_result = bool(row[9])  # JSON is not empty
    execution = Execution(
        row[0].decode(),
        row[1].decode(),
        Token(row[2].decode()),
        from_json(row[3]),
        row[4],
        read_double(row[5]),
        row[6].decode(),
        _limit_key(row[15].decode()) if len(row) > LIMITED_COLUMN else None,
    )
    return Lease(
        execution,
        worker,
        epoch=read_bigint(row[7]),
        attempt=read_bigint(row[8]),
        result=Result(row[9], row[10].decode()) if has_result else None,
        completion_tried=read_boolean(row[11]),
        crashed=read_boolean(row[12]),
        ran=read_double(row[14]),
        overdue=len(row) > LIMITED_COLUMN and read_boolean(row[16]),
    )


def _limit_key(queue: str) -> str | None:
    _, separator, key = queue.partition("#")
    return key if separator else None


def read_effects(found: PGresult) -> dict[str, dict[int, Effect]]:
    """Read the rows of EFFECTS_OF, by execution and position."""
    effects: dict[str, dict[int, Effect]] = {}
    for number in range(found.ntuples):
        row = [found.get_value(number, column) or b"" for column in range(8)]
        effect = Effect(
            position=read_bigint(row[1]),
            kind=row[2].decode(),
            digest=row[3].decode(),
            state=EffectState(row[4].decode()),
            value=row[5],
            began=read_double(row[6]),
            ended=read_double(row[7]),
        )
        effects.setdefault(row[0].decode(), {})[effect.position] = effect
    return effects


def with_effects(
    leases: Sequence[Lease], effects: Mapping[str, Mapping[int, Effect]]
) -> list[Lease]:
    """Return the leases with what earlier runs did."""
    return [
        replace(lease, effects=effects.get(lease.execution.id, {})) if lease.epoch > 1 else lease
        for lease in leases
    ]


def read_flags(result: PGresult) -> dict[str, bool]:
    """Read rows of a text and a boolean."""
    return {
        (result.get_value(row, 0) or b"").decode(): read_boolean(result.get_value(row, 1))
        for row in range(result.ntuples)
    }
