"""The events of an execution in its effects."""

import pytest

from vertexkit.errors import JournalUnavailable
from vertexkit.execution import EVENT, EVENT_POSITION, Effect
from vertexkit.journal.events import MAX_EVENTS, new_event_position


def effects(events: int) -> dict[int, Effect]:
    """Those of an execution that has sent a message and received events."""
    positions = [0, *range(EVENT_POSITION, EVENT_POSITION + events)]
    return {position: Effect(position, EVENT, "") for position in positions}


def test_events_are_counted_from_their_own_position() -> None:
    """The position of the first one does not depend on the handler's effects; the others follow it."""
    assert new_event_position("id", effects(0)) == EVENT_POSITION
    assert new_event_position("id", effects(3)) == EVENT_POSITION + 3


def test_an_execution_has_a_limited_number_of_events() -> None:
    """The last one gets a position; for one more, the error names the limit."""
    assert new_event_position("id", effects(MAX_EVENTS - 1)) == EVENT_POSITION + MAX_EVENTS - 1
    with pytest.raises(JournalUnavailable, match=f"id has {MAX_EVENTS} events"):
        new_event_position("id", effects(MAX_EVENTS))
