"""A journal's values as JSON, for the way between the owner of a journal and its workers.

Lists, not objects: both ends are of one version. Bytes go as Latin-1, which JSON can hold whatever
they are.
"""

from dataclasses import fields
from typing import Any

from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.protocol import Lease, Moment, Query, Record
from vertexkit.token import Token

PLAIN = [
    each.name
    for each in fields(Record)
    if each.name not in {"effects", "result", "outcome", "trail"}
]
"""The members of a record that JSON has as they are."""
NOBODY = Token("-")
LATIN = "latin-1"
QUERY = [each.name for each in fields(Query)]


def from_execution(execution: Execution) -> list[Any]:
    """The whole call, its token too."""
    return [
        execution.id,
        execution.block,
        execution.token.reveal(),
        execution.inputs,
        execution.raw.decode(LATIN),
        execution.accepted_at,
        execution.trace,
    ]


def to_execution(said: list[Any]) -> Execution:
    """The reverse of `from_execution`."""
    name, block, token, inputs, raw, *rest = said
    return Execution(name, block, Token(token), inputs, raw.encode(LATIN), *rest)


def from_effect(effect: Effect) -> list[Any]:
    """An effect, with its times."""
    return [
        effect.position,
        effect.kind,
        effect.digest,
        effect.state,
        effect.value.decode(LATIN),
        effect.began,
        effect.ended,
    ]


def to_effect(said: list[Any]) -> Effect:
    """The reverse of `from_effect`."""
    position, kind, digest, state, value, began, ended = said
    return Effect(position, kind, digest, EffectState(state), value.encode(LATIN), began, ended)


def from_result(result: Result) -> list[Any]:
    """A result."""
    return [result.data.decode(LATIN), result.code]


def to_result(said: list[Any]) -> Result:
    """The reverse of `from_result`."""
    data, code = said
    return Result(data.encode(LATIN), code)


def from_lease(lease: Lease) -> list[Any]:
    """All that a worker needs."""
    return [
        from_execution(lease.execution),
        lease.worker,
        lease.epoch,
        lease.attempt,
        [from_effect(effect) for effect in lease.effects.values()],
        lease.result and from_result(lease.result),
        lease.completion_tried,
        lease.crashed,
    ]


def to_lease(said: list[Any]) -> Lease:
    """The reverse of `from_lease`."""
    execution, worker, epoch, attempt, effects, result, tried, crashed = said
    return Lease(
        to_execution(execution),
        worker,
        epoch,
        attempt,
        {effect[0]: to_effect(effect) for effect in effects},
        result and to_result(result),
        tried,
        crashed,
    )


def proof(lease: Lease) -> list[Any]:
    """What a journal knows a lease by: its execution's id, its worker and its epoch."""
    return [lease.execution.id, lease.worker, lease.epoch]


def to_proof(said: list[Any]) -> Lease:
    """A lease with nothing but its `proof`."""
    execution, worker, epoch = said
    return Lease(Execution(execution, "", NOBODY, {}), worker, epoch, 0)


def from_outcome(outcome: Outcome) -> list[Any]:
    """An outcome."""
    return [outcome.status, outcome.code, outcome.confirmed_by, outcome.reason]


def to_outcome(said: list[Any]) -> Outcome:
    """The reverse of `from_outcome`."""
    status, *rest = said
    return Outcome(OutcomeStatus(status), *rest)


def from_record(record: Record) -> dict[str, Any]:
    """What operators see."""
    said = {name: getattr(record, name) for name in PLAIN}
    return said | {
        "effects": [from_effect(effect) for effect in record.effects],
        "result": record.result and from_result(record.result),
        "outcome": record.outcome and from_outcome(record.outcome),
        "trail": [[moment.at, moment.what, moment.said] for moment in record.trail],
    }


def to_record(said: dict[str, Any]) -> Record:
    """The reverse of `from_record`."""
    return Record(
        **{name: said[name] for name in PLAIN if name != "phase"},
        phase=Phase(said["phase"]),
        effects=tuple(to_effect(effect) for effect in said["effects"]),
        result=said["result"] and to_result(said["result"]),
        outcome=said["outcome"] and to_outcome(said["outcome"]),
        trail=tuple(Moment(*moment) for moment in said["trail"]),
    )


def from_query(query: Query) -> dict[str, Any]:
    """Which executions are asked for."""
    return {name: getattr(query, name) for name in QUERY}


def to_query(said: dict[str, Any]) -> Query:
    """The reverse of `from_query`."""
    phase, status = said["phase"], said["status"]
    return Query(
        **said
        | {
            "phase": None if phase is None else Phase(phase),
            "status": None if status is None else OutcomeStatus(status),
        }
    )
