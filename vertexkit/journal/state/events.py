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

    Args:
        row: of the execution.
        name: of the event.
        data: of the event, JSON.
        now: Unix time.

    Raises:
        JournalUnavailable: the execution has `MAX_EVENTS` events.
    """
    if row.event(name) is not None:
        return Delivery.REPEATED
    waits = [effect.state for effect in row.effects.values() if effect.kind == WAIT + name]
    if row.result is not None or any(state is not EffectState.INTENDED for state in waits):
        return Delivery.ENDED
    position = max([EVENT_POSITION - 1, *row.effects]) + 1
    if position - EVENT_POSITION >= MAX_EVENTS:
        raise JournalUnavailable(f"{row.execution.id} has {MAX_EVENTS} events, which is the limit")
    row.effects[position] = storable_effect(
        Effect(position, EVENT + name, "", EffectState.CONFIRMED, data, now, now)
    )
    return Delivery.NEW


def remove_event(row: ExecutionRow, name: str) -> None:
    """Undo `add_event`: the event could not be stored."""
    event = row.event(name)
    if event is not None:
        del row.effects[event.position]
