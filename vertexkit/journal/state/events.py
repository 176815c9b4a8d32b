"""Events that are delivered to an execution: the rules of every journal, in memory."""

from vertexkit.errors import JournalUnavailable
from vertexkit.execution import EVENT, EVENT_POSITION, WAIT, Effect, EffectState
from vertexkit.journal.events import Delivery
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.storable import storable_effect

MAX_EVENTS = 1000
"""Maximum number of events of one execution."""


def add_event(row: ExecutionRow, name: str, data: bytes, now: float) -> Delivery:
    """Add an event to an execution, unless it has one of this name or does not wait any more.

    Its handler does not see the event until `confirm_event`.

    Args:
        row: of the execution.
        name: of the event.
        data: of the event, JSON.
        now: Unix time.

    Raises:
        JournalUnavailable: the execution has `MAX_EVENTS` events.
    """
    arriving = row.arriving or {}
    if row.result is None and (name in arriving or row.event(name) is not None):
        return Delivery.REPEATED
    waits = [effect.state for effect in row.effects.values() if effect.kind == WAIT + name]
    if row.result is not None or any(state is not EffectState.INTENDED for state in waits):
        return Delivery.ENDED
    position = max([EVENT_POSITION - 1, *row.effects, *(e.position for e in arriving.values())]) + 1
    if position - EVENT_POSITION >= MAX_EVENTS:
        raise JournalUnavailable(f"{row.execution.id} has {MAX_EVENTS} events, which is the limit")
    event = Effect(position, EVENT + name, "", EffectState.CONFIRMED, data, now, now)
    row.arriving = {**arriving, name: storable_effect(event)}
    return Delivery.NEW


def is_arriving(row: ExecutionRow, wait: Effect) -> bool:
    """Check whether the event of a wait is being written."""
    return wait.kind.removeprefix(WAIT) in (row.arriving or {})


def confirm_event(row: ExecutionRow, name: str) -> None:
    """Let the handler see an event, which is stored."""
    event = _take_arriving(row, name)
    row.effects[event.position] = event
    row.woken = True


def remove_event(row: ExecutionRow, name: str) -> None:
    """Undo `add_event`: the event could not be stored."""
    _take_arriving(row, name)


def _take_arriving(row: ExecutionRow, name: str) -> Effect:
    assert row.arriving is not None  # noqa: S101 - only `add_event` is undone or confirmed
    event = row.arriving.pop(name)
    row.arriving = row.arriving or None
    return event
