"""A recording that is made from what the journal has of an execution."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from vertexkit.execution import (
    EVENT,
    MEMORY_GET,
    SEND,
    SLEEP,
    STEP,
    WAIT,
    Effect,
    EffectState,
    OutcomeStatus,
)
from vertexkit.journal.protocol import Record
from vertexkit.recordings.format import Recording, RecordingHeader

COMPLETION_TRIES_OF_GONE = 3
"""Requests of a completion that are rejected with 403 before its dialog counts as gone."""
SENT, COMPLETED, BAD_REQUEST, FORBIDDEN = 200, 204, 400, 403
Line = dict[str, Any]


def reconstruct(record: Record, inputs: dict[str, Any], target: str) -> Recording:
    """Make a recording from an execution in the journal.

    The journal has the inputs, the results of steps, the data of events and the state of each
    message, but not the texts of messages and no log lines.

    Args:
        record: of the execution.
        inputs: of its call.
        target: the app, `module:app`.
    """
    started = datetime.fromtimestamp(record.accepted_at, UTC)
    header = RecordingHeader(
        id=f"{started:%Y%m%d-%H%M%S}-{record.block}-{record.execution[-4:]}",
        block=record.block,
        target=target,
        inputs=inputs,
        started=started.isoformat(timespec="milliseconds"),
        by="run",
        execution=record.execution,
    )
    lines = [_event(0.0, "accepted"), _event(0.0, "claimed")]
    is_gone = record.outcome is not None and record.outcome.code == "gone"
    for effect in sorted(record.effects, key=lambda effect: effect.position):
        if effect.kind == SEND and effect.state is EffectState.INTENDED and record.outcome is None:
            continue  # its reply may still arrive
        at = max(0.0, round(effect.began - record.accepted_at, 6))
        lines += _effect_lines(effect, at, FORBIDDEN if is_gone else BAD_REQUEST)
    lines += _end_lines(record)
    return Recording(header, tuple(lines))


def _event(at: float, event_name: str, **fields: Any) -> Line:
    return {"kind": "event", "at": at, "name": event_name, "fields": fields}


def _request(at: float, method: str, status: int | None, **fields: Any) -> Line:
    return {
        "kind": "request",
        "at": at,
        "seconds": 0.0,
        "method": method,
        "path": f"/{method}",
        "request": fields,
        "status": status,
        "answer": None,
        "fault": None,
        "processed": status not in {BAD_REQUEST, FORBIDDEN},
    }


def _effect_lines(effect: Effect, at: float, rejection: int) -> Iterator[Line]:
    kind, value = effect.kind, effect.value
    if kind == SEND:
        yield _message_line(effect, at, rejection)
    elif kind.startswith(STEP):
        name = kind.removeprefix(STEP)
        if effect.state is EffectState.CONFIRMED:
            result = {"result": from_json(value)} if value else {}
            yield _event(at, "step_completed", step=name)
            yield _event(at, "step_ended", step=name, position=effect.position, **result)
    elif kind.startswith(MEMORY_GET):
        found = {"value": from_json(value)} if value else {}
        yield _event(at, "memory_read", name=kind.removeprefix(MEMORY_GET), **found)
    elif kind == SLEEP or kind.startswith(WAIT):
        yield from _wait_lines(effect, at)
    elif kind.startswith(EVENT):
        yield _event(at, "event_received", event=kind.removeprefix(EVENT))


def _message_line(effect: Effect, at: float, rejection: int) -> Line:
    match effect.state:
        case EffectState.CONFIRMED if effect.value and from_json(effect.value).get("message_id"):
            return _request(at, "send_message", SENT)
        case EffectState.REJECTED:
            return _request(at, "send_message", rejection)
        case _:  # its reply was lost, and it may have arrived
            return _request(at, "send_message", None)


def _wait_lines(effect: Effect, at: float) -> Iterator[Line]:
    stored = from_json(effect.value) if effect.value else {}
    event = "" if effect.kind == SLEEP else effect.kind.removeprefix(WAIT)
    seconds = max(0.0, stored.get("until", effect.began) - effect.began)
    yield _event(at, "waiting", event=event, position=effect.position, seconds=round(seconds, 3))
    if effect.state is EffectState.CONFIRMED:
        data = {"data": stored["event"]} if "event" in stored else {}
        yield _event(at, "waited", event=event, position=effect.position, **data)


def _end_lines(record: Record) -> Iterator[Line]:
    outcome = record.outcome
    if outcome is None:
        return
    at = round(max(0.0, (record.ended_at or record.accepted_at) - record.accepted_at), 6)
    if outcome.status is OutcomeStatus.GONE:
        for _ in range(COMPLETION_TRIES_OF_GONE):
            yield _request(at, "complete", FORBIDDEN)
    elif outcome.confirmed_by:
        yield _request(at, "complete", COMPLETED)
    yield {"kind": "end", "at": at, "outcome": outcome.status.value, "code": outcome.code}
