"""Events that are delivered to an execution: the rules of every journal, in memory."""

from vertexkit.execution import EVENT, WAIT, Effect, EffectState
from vertexkit.journal.events import Delivery, check_delivery, new_event_position
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.storable import storable_effect


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
    effects = row.effects | {event.position: event for event in arriving.values()}
    delivery = check_delivery(effects, name, ended=row.result is not None)
    if delivery is Delivery.NEW:
        position = new_event_position(row.execution.id, effects)
        event = Effect(position, EVENT + name, "", EffectState.CONFIRMED, data, now, now)
        row.arriving = {**arriving, name: storable_effect(event)}
    return delivery


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
