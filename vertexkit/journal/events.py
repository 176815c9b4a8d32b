"""Events from outside: what a journal of any kind does with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vertexkit.errors import JournalUnavailable
from vertexkit.execution import EVENT, EVENT_POSITION, WAIT, Effect, EffectState

MAX_EVENTS = 1000
"""Maximum number of events of one execution."""


def open_waits(effects: Mapping[int, Effect]) -> set[str]:
    """Return the names of the events that a handler with these effects waits for."""
    return {
        effect.kind.removeprefix(WAIT)
        for effect in effects.values()
        if effect.kind.startswith(WAIT) and effect.state is EffectState.INTENDED
    }


def delivered_event(effects: Mapping[int, Effect], name: str) -> Effect | None:
    """Return the event of this name that was delivered, unless it was discarded."""
    for effect in effects.values():
        if effect.kind == EVENT + name and effect.state is EffectState.CONFIRMED:
            return effect
    return None


class Delivery(StrEnum):
    """The journal's reply to `deliver_event`."""

    NEW = "new"
    """The event is stored."""
    REPEATED = "repeated"
    """An event of this name was delivered before; this one has no effect."""
    ENDED = "ended"
    """The execution has ended, or no longer waits for this event."""
    UNKNOWN = "unknown"
    """There is no such execution."""


def check_delivery(effects: Mapping[int, Effect], name: str, *, ended: bool) -> Delivery:
    """Return how the journal replies to another event of an execution: NEW, REPEATED or ENDED.

    Args:
        effects: of the execution.
        name: of the event.
        ended: its handler has returned.
    """
    if not ended and delivered_event(effects, name) is not None:
        return Delivery.REPEATED
    waits = [effect.state for effect in effects.values() if effect.kind == WAIT + name]
    if ended or any(state is not EffectState.INTENDED for state in waits):
        return Delivery.ENDED
    return Delivery.NEW


def new_event_position(execution: str, effects: Mapping[int, Effect]) -> int:
    """Return the position of the next event of an execution.

    Args:
        execution: its id.
        effects: of the execution.

    Raises:
        JournalUnavailable: the execution has `MAX_EVENTS` events.
    """
    position = max([EVENT_POSITION - 1, *effects]) + 1
    if position - EVENT_POSITION >= MAX_EVENTS:
        raise JournalUnavailable(f"{execution} has {MAX_EVENTS} events, which is the limit")
    return position


@dataclass(frozen=True, slots=True)
class EventTarget:
    """An execution as the receiver of an event sees it."""

    block: str
    key: bytes = field(repr=False)
    """`Execution.key`: the URL of the event is signed with it."""
    ended: bool
    """Its handler has returned."""
    effects: Mapping[int, Effect] = field(default_factory=dict)
    """Its waits and events, and its other effects, by position."""

    def waits_for(self) -> set[str]:
        """Return the names of the events that its handler waits for."""
        return open_waits(self.effects)

    def delivery(self, name: str) -> Delivery:
        """Return how the journal would reply to another event: NEW, REPEATED or ENDED."""
        return check_delivery(self.effects, name, ended=self.ended)


class JournalEvents(Protocol):
    """What delivers an event from outside to an execution that waits for it."""

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        """Store an event for an execution (survives power loss); the first of each name counts.

        An execution that is suspended and waits for the event becomes due.

        Args:
            execution: its id.
            name: name of the event.
            data: JSON.

        Raises:
            JournalUnavailable: the event could not be stored.
        """

    async def event_target(self, execution: str) -> EventTarget | None:
        """Return what the receiver of an event needs to know; None: there is no such execution."""
