"""Reading leases, with the effects of earlier runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from psycopg.pq.abc import PGresult
from pydantic_core import from_json

from vertexkit.execution import Effect, EffectState, Execution, Result
from vertexkit.journal.encryption import Cipher, effect_place, open_effect
from vertexkit.journal.postgres.arrays import read_bigint, read_boolean, read_double
from vertexkit.journal.protocol import Lease
from vertexkit.token import Token

AGAIN_COLUMN = 15
"""Whether the execution has been claimed before."""
LIMITED_COLUMN = 16
"""From here on are the columns that only CLAIM_LIMITED returns."""


def read_leases(claimed: PGresult, worker: str, cipher: Cipher) -> list[Lease]:
    """Read the rows of CLAIM or CLAIM_LIMITED, oldest executions first; without effects."""
    rows = [
        [claimed.get_value(row, column) or b"" for column in range(claimed.nfields)]
        for row in range(claimed.ntuples)
    ]
    rows.sort(key=lambda row: row[13])  # a positive `bigint`: its bytes sort as the numbers do
    return [_read_lease(row, worker, cipher) for row in rows]


def claimed_again(claimed: PGresult) -> list[str]:
    """Return the executions that have been claimed before: they may have effects."""
    return [
        (claimed.get_value(row, 0) or b"").decode()
        for row in range(claimed.ntuples)
        if read_boolean(claimed.get_value(row, AGAIN_COLUMN))
    ]


def _read_lease(row: Sequence[bytes], worker: str, cipher: Cipher) -> Lease:
    has_result = bool(row[9])  # JSON is not empty
    name = row[0].decode()
    execution = Execution(
        name,
        row[1].decode(),
        Token(cipher.open(f"token {name}", row[2]).decode()),
        from_json(cipher.open(f"inputs {name}", row[3])),
        cipher.open(f"raw {name}", row[4]),
        read_double(row[5]),
        row[6].decode(),
        _limit_key(row[LIMITED_COLUMN].decode()) if len(row) > LIMITED_COLUMN else None,
    )
    return Lease(
        execution,
        worker,
        epoch=read_bigint(row[7]),
        attempt=read_bigint(row[8]),
        result=_result(row, cipher) if has_result else None,
        completion_tried=read_boolean(row[11]),
        crashed=read_boolean(row[12]),
        ran=read_double(row[14]),
        overdue=len(row) > LIMITED_COLUMN and read_boolean(row[LIMITED_COLUMN + 1]),
    )


def _limit_key(queue: str) -> str | None:
    _, separator, key = queue.partition("#")
    return key if separator else None


def _result(row: Sequence[bytes], cipher: Cipher) -> Result:
    return Result(cipher.open(f"result {row[0].decode()}", row[9]), row[10].decode())


def read_effects(found: PGresult, cipher: Cipher) -> dict[str, dict[int, Effect]]:
    """Read the rows of EFFECTS_OF, by execution and position."""
    effects: dict[str, dict[int, Effect]] = {}
    for number in range(found.ntuples):
        row = [found.get_value(number, column) or b"" for column in range(8)]
        execution, position, kind = row[0].decode(), read_bigint(row[1]), row[2].decode()
        place = effect_place(execution, position, kind)
        digest, value = open_effect(cipher, place, row[3].decode(), row[5])
        state, began, ended = row[4].decode(), read_double(row[6]), read_double(row[7])
        effect = Effect(position, kind, digest, EffectState(state), value, began, ended)
        effects.setdefault(execution, {})[position] = effect
    return effects


def with_effects(
    leases: Sequence[Lease], effects: Mapping[str, Mapping[int, Effect]]
) -> list[Lease]:
    """Return the leases with what earlier runs did."""
    return [
        replace(lease, effects=found) if (found := effects.get(lease.execution.id)) else lease
        for lease in leases
    ]


def read_flags(result: PGresult) -> dict[str, bool]:
    """Read rows of a text and a boolean."""
    return {
        (result.get_value(row, 0) or b"").decode(): read_boolean(result.get_value(row, 1))
        for row in range(result.ntuples)
    }
