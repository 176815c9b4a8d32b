"""Events of executions: logged, counted and passed to subscribers in one place."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from vertexkit.clock import Clock
from vertexkit.telemetry import logs

DEBUG_EVENTS = frozenset({"claimed", "sent", "step_completed", "result_recorded", "completed"})
"""Events logged at DEBUG: a successful execution logs two lines at INFO."""
WARNING_EVENTS = frozenset(
    {"parked", "fenced", "abandoned", "send_outcome_unknown", "effect_changed"}
)
"""Events logged at WARNING: an operator should see them."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one execution."""

    name: str
    """A past participle: accepted, claimed, sent, step_completed, completed, settled, ..."""
    execution: str
    """Id of the execution; empty if there is none."""
    at: float
    """Seconds on the clock's `now()`."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Details of this event."""
    block: str = ""
    """Name of the block; empty if there is none."""


class EventCounter(Protocol):
    """Counts events."""

    def count_event(self, name: str, block: str, fields: dict[str, Any]) -> None:
        """Count an event.

        Args:
            name: of the event.
            block: name of the block; empty if there is none.
            fields: of the event.
        """


class Events:
    """Logs each event, counts it and passes it to subscribers.

    Args:
        clock: for the time of each event.
        counter: counts events; called for every event, at a quarter of a subscriber's cost.
    """

    def __init__(self, clock: Clock, counter: EventCounter | None = None) -> None:
        self._clock = clock
        self._counter = counter
        self._subscribers: list[Callable[[Event], None]] = []
        self._content_subscribers: list[Callable[[Event], None]] = []
        # Bound once: a lazy logger binds itself again at every call.
        self._log = structlog.get_logger("vertexkit").bind()
        self._debug = self._log.is_enabled_for(logging.DEBUG)
        self._lines = logs.event_lines()

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Pass every later event to a function.

        Args:
            callback: called on the event loop; it must return quickly.
        """
        self._subscribers.append(callback)

    def subscribe_contents(self, callback: Callable[[Event], None]) -> None:
        """Pass the contents of every later execution to a function: see `emit_contents`.

        Args:
            callback: called on the event loop; it must return quickly.
        """
        self._content_subscribers.append(callback)

    def emit_contents(self, name: str, execution: str, block: str = "", /, **fields: Any) -> None:
        """Report what an execution works with: arguments, results, data of events.

        Unlike an event, it is neither logged nor counted: it is for recordings.

        Args:
            name: `step_started`, `step_ended`, `waiting` or `waited`.
            execution: its id.
            block: name of the block.
            **fields: the contents, as Python values; JSON that is journalled as bytes.
        """
        if self._content_subscribers:
            self._publish(self._content_subscribers, name, execution, block, fields)

    def emit(self, name: str, execution: str, block: str = "", /, **fields: Any) -> None:
        """Report an event.

        Args:
            name: of the event.
            execution: its id. `logs.bind` has put it on the log line, and the block.
            block: name of the block; empty if there is none.
            **fields: details, logged and passed on.
        """
        if name in DEBUG_EVENTS:
            if self._debug:
                self._log.debug(name, **fields)
        elif name in WARNING_EVENTS:
            self._log.warning(name, **fields)
        elif self._lines is None or not self._lines.write(name, fields):
            self._log.info(name, **fields)
        if self._counter is not None:
            self._counter.count_event(name, block, fields)
        if self._subscribers:
            self._publish(self._subscribers, name, execution, block, fields)

    def record(self, name: str, execution: str, block: str = "", /, **fields: Any) -> None:
        """Pass an event to the subscribers only: it contains what must not be logged.

        Args:
            name: of the event.
            execution: its id.
            block: name of the block; empty if there is none.
            **fields: details.
        """
        if self._subscribers:
            self._publish(self._subscribers, name, execution, block, fields)

    def _publish(
        self,
        subscribers: list[Callable[[Event], None]],
        name: str,
        execution: str,
        block: str,
        fields: dict[str, Any],
    ) -> None:
        event = Event(name, execution, self._clock.now(), fields, block)
        for subscriber in subscribers:
            subscriber(event)
