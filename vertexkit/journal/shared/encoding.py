"""A journal's values as JSON, for the socket between its server and its clients.

Mostly lists, not objects: both ends run the same version. Bytes are decoded as Latin-1, so that
JSON can hold any of them.
"""

from dataclasses import fields
from functools import lru_cache
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
from vertexkit.journal.dialog_memory import DialogMemory
from vertexkit.journal.events import EventTarget
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.protocol import HistoryEvent, Lease, Query, Record
from vertexkit.token import Token

CONVERTED_FIELDS = {"phase", "effects", "result", "outcome", "history"}
PLAIN_FIELDS = [f.name for f in fields(Record) if f.name not in CONVERTED_FIELDS]
"""Fields of a record that JSON can hold unchanged."""
QUERY_FIELDS = [f.name for f in fields(Query)]
NO_TOKEN = Token("-")
LATIN = "latin-1"


def encode_execution(execution: Execution) -> list[Any]:
    """Encode a whole call, with its token."""
    return [
        execution.id,
        execution.block,
        execution.token.reveal(),
        execution.inputs,
        execution.raw.decode(LATIN),
        execution.accepted_at,
        execution.trace,
        execution.limit_key,
    ]


def decode_execution(data: list[Any]) -> Execution:
    """Decode what `encode_execution` returned."""
    name, block, token, inputs, raw, *rest = data
    return Execution(name, block, Token(token), inputs, raw.encode(LATIN), *rest)


def encode_effect(effect: Effect) -> list[Any]:
    """Encode an effect, with its times."""
    return [
        effect.position,
        effect.kind,
        effect.digest,
        effect.state,
        effect.value.decode(LATIN),
        effect.began,
        effect.ended,
    ]


def decode_effect(data: list[Any]) -> Effect:
    """Decode what `encode_effect` returned."""
    position, kind, digest, state, value, began, ended = data
    return Effect(position, kind, digest, EffectState(state), value.encode(LATIN), began, ended)


def encode_result(result: Result) -> list[Any]:
    """Encode a result."""
    return [result.data.decode(LATIN), result.code]


def decode_result(encoded: list[Any]) -> Result:
    """Decode what `encode_result` returned."""
    data, code = encoded
    return Result(data.encode(LATIN), code)


def encode_lease(lease: Lease) -> list[Any]:
    """Encode everything that a worker needs."""
    return [
        encode_execution(lease.execution),
        lease.worker,
        lease.epoch,
        lease.attempt,
        [encode_effect(effect) for effect in lease.effects.values()],
        lease.result and encode_result(lease.result),
        lease.completion_tried,
        lease.crashed,
        lease.ran,
        lease.overdue,
    ]


def decode_lease(data: list[Any], known: Execution | None = None) -> Lease:
    """Decode what `encode_lease` returned.

    Args:
        data: what it returned.
        known: the call, if this process has it.
    """
    execution, worker, epoch, attempt, effects, result, *rest = data
    return Lease(
        known or decode_execution(execution),
        worker,
        epoch,
        attempt,
        {effect[0]: decode_effect(effect) for effect in effects},
        result and decode_result(result),
        *rest,
    )


def encode_lease_key(lease: Lease) -> list[Any]:
    """Encode what identifies a lease: its execution's id, its worker and its epoch."""
    return [lease.execution.id, lease.worker, lease.epoch]


def decode_lease_key(data: list[Any]) -> Lease:
    """Return a lease with nothing but what identifies it."""
    return _identified_lease(*data)


@lru_cache(maxsize=4096)  # an execution is asked for four times; the cache takes 2 MB at most
def _identified_lease(execution: str, worker: str, epoch: int) -> Lease:
    return Lease(Execution(execution, "", NO_TOKEN, {}), worker, epoch, 0)


def encode_limits(limits: FleetLimits) -> list[Any]:
    """Encode the limits of an app."""
    blocks = {
        name: [
            block.rate and [block.rate.number, block.rate.seconds],
            block.running,
            block.max_wait,
        ]
        for name, block in limits.blocks.items()
    }
    return [blocks, limits.running]


def decode_limits(data: list[Any]) -> FleetLimits:
    """Decode what `encode_limits` returned."""
    blocks, running = data
    decoded = {
        name: BlockLimits(rate and Rate(*rate), *rest) for name, (rate, *rest) in blocks.items()
    }
    return FleetLimits(decoded, running)


def encode_event_target(target: EventTarget) -> list[Any]:
    """Encode an execution as the receiver of an event sees it."""
    effects = [encode_effect(effect) for effect in target.effects.values()]
    return [target.block, target.key.decode(LATIN), target.ended, effects]


def decode_event_target(data: list[Any]) -> EventTarget:
    """Decode what `encode_event_target` returned."""
    block, key, ended, effects = data
    decoded = {effect[0]: decode_effect(effect) for effect in effects}
    return EventTarget(block, key.encode(LATIN), ended, decoded)


def encode_memory(memory: DialogMemory) -> list[Any]:
    """Encode the memory of a dialog."""
    return [memory.values.decode(), memory.version]


def decode_memory(data: list[Any]) -> DialogMemory:
    """Decode what `encode_memory` returned."""
    values, version = data
    return DialogMemory(values.encode(), version)


def encode_outcome(outcome: Outcome) -> list[Any]:
    """Encode an outcome."""
    return [outcome.status, outcome.code, outcome.confirmed_by, outcome.reason]


def decode_outcome(data: list[Any]) -> Outcome:
    """Decode what `encode_outcome` returned."""
    status, *rest = data
    return Outcome(OutcomeStatus(status), *rest)


def encode_record(record: Record) -> dict[str, Any]:
    """Encode an execution as operators see it."""
    return {
        **{name: getattr(record, name) for name in PLAIN_FIELDS},
        "phase": record.phase,
        "effects": [encode_effect(effect) for effect in record.effects],
        "result": record.result and encode_result(record.result),
        "outcome": record.outcome and encode_outcome(record.outcome),
        "history": [[event.at, event.name, event.detail] for event in record.history],
    }


def decode_record(data: dict[str, Any]) -> Record:
    """Decode what `encode_record` returned."""
    return Record(
        **{name: data[name] for name in PLAIN_FIELDS},
        phase=Phase(data["phase"]),
        effects=tuple(decode_effect(effect) for effect in data["effects"]),
        result=data["result"] and decode_result(data["result"]),
        outcome=data["outcome"] and decode_outcome(data["outcome"]),
        history=tuple(HistoryEvent(*event) for event in data["history"]),
    )


def encode_query(query: Query) -> dict[str, Any]:
    """Encode the filters of a search."""
    return {name: getattr(query, name) for name in QUERY_FIELDS}


def decode_query(data: dict[str, Any]) -> Query:
    """Decode what `encode_query` returned."""
    phase, status = data["phase"], data["status"]
    return Query(
        **data
        | {
            "phase": None if phase is None else Phase(phase),
            "status": None if status is None else OutcomeStatus(status),
        }
    )
