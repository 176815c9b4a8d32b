"""Executions for operators: found by the start of an id, as JSON, and events that they send."""

import json
from typing import Any

from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import SEND, Effect, EffectState
from vertexkit.ingress.events import why_not_delivered
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import JournalAdmin, Query, Record

MAX_AMBIGUOUS = 1000
"""Executions that are looked for if the start of an id is not enough."""


async def find(journal: JournalAdmin, execution: str) -> Record:
    """Return the execution with an id, or with the only id that starts like this.

    Args:
        journal: that is asked.
        execution: the id, or the start of it.

    Raises:
        OperationNotAllowed: no execution has this id, or several ids start like this.
    """
    record = await journal.find(execution)
    if record is not None:
        return record
    found = await journal.search(Query(prefix=execution.lower(), limit=MAX_AMBIGUOUS))
    if len(found) == 1:
        return found[0]
    if not found:
        raise OperationNotAllowed(
            f"there is no execution {execution} in the journal. Ended executions are kept for "
            "VERTEXKIT_RETENTION seconds; to list those that are stored, run: "
            "vertexkit executions list"
        )
    names = ", ".join(record.execution for record in found[:3])
    at_least = "at least " if len(found) == MAX_AMBIGUOUS else ""
    raise OperationNotAllowed(
        f"the ids of {at_least}{len(found)} executions start with {execution}: {names}, …"
    )


async def send_event(journal: JournalAdmin, execution: str, name: str, data: bytes) -> Delivery:
    """Send an event to an execution.

    Args:
        journal: that delivers it.
        execution: its id.
        name: of the event.
        data: JSON.

    Returns:
        NEW, or REPEATED if an event of this name was delivered before.

    Raises:
        OperationNotAllowed: the execution does not wait for the event any more.
    """
    delivery = await journal.deliver_event(execution, name, data)
    if (error := why_not_delivered(delivery, execution, name)) is not None:
        raise error
    return delivery


def as_object(record: Record) -> dict[str, Any]:
    """Return an execution as a JSON object. Times are Unix seconds."""
    outcome = record.outcome
    return {
        "execution": record.execution,
        "block": record.block,
        "dialog": record.dialog,
        "phase": record.phase.value,
        "outcome": None if outcome is None else outcome.status.value,
        "code": outcome.code if outcome is not None else record.result and record.result.code,
        "confirmed_by": outcome.confirmed_by if outcome is not None else "",
        "reason": outcome.reason if outcome is not None else "",
        "attempts": record.attempts,
        "accepted_at": record.accepted_at,
        "claimed_at": record.claimed_at,
        "due_at": record.due_at,
        "waits_for": sorted(record.waits_for()),
        "limited_by": record.limited_by,
        "result_recorded_at": record.result_recorded_at,
        "completion_tries": record.completion_tries,
        "completion_tried_at": record.completion_tried_at,
        "ended_at": record.ended_at,
        "retryable": record.outcome is not None and record.retryable,
        "effects": [_effect_object(effect) for effect in record.effects],
        "history": [
            {"at": event.at, "event": event.name, "detail": event.detail}
            for event in record.history
        ],
    }


def _effect_object(effect: Effect) -> dict[str, Any]:
    return {
        "position": effect.position,
        "kind": effect.kind,
        "state": effect.state.value,
        "began": effect.began,
        "ended": None if effect.state is EffectState.INTENDED else effect.ended,
        "message_id": _message_id(effect),
    }


def _message_id(effect: Effect) -> int | None:
    if effect.kind != SEND or not effect.value:
        return None
    number = json.loads(effect.value).get("message_id")
    return number if isinstance(number, int) else None
