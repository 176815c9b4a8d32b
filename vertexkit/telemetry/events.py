"""What happens to executions, told in one place."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from vertexkit.clock import Clock

QUIET = frozenset({"claimed", "sent", "step_completed", "result_recorded", "completed"})
"""Events that are lines at DEBUG: an execution that goes well is two lines at INFO."""
LOUD = frozenset({"parked", "fenced", "abandoned", "unknown", "crashed"})
"""Events that an operator should see: lines at WARNING."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one execution."""

    name: str
    """The verb in the past tense: accepted, claimed, sent, stepped, completed, settled, ..."""
    execution: str
    at: float
    """Seconds on the clock's `now()`."""
    fields: dict[str, Any] = field(default_factory=dict)
    block: str = ""
    """Whose execution it is; empty where there is none."""


class Events:
    """Tells each event to the log, and to whoever subscribed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._subscribers: list[Callable[[Event], None]] = []
        self._counters: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        # Bound once: a lazy logger binds itself anew at every call.
        self._log = structlog.get_logger("vertexkit").bind()
        self._debug = self._log.is_enabled_for(logging.DEBUG)

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call back for every event from now on, on the event loop; it must be quick."""
        self._subscribers.append(callback)

    def count(self, counters: Mapping[str, Callable[[str, dict[str, Any]], None]]) -> None:
        """As `subscribe`, at a quarter of its cost, for whoever counts in every execution.

        Args:
            counters: what is called, with the block and the fields, by the event's name.
        """
        self._counters.update(counters)

    def tell(self, name: str, execution: str, block: str = "", /, **fields: Any) -> None:
        """Say that `name` happened. Execution and block are on the log line by `logs.bind`."""
        if name in QUIET:
            if self._debug:
                self._log.debug(name, **fields)
        elif name in LOUD:
            self._log.warning(name, **fields)
        else:
            self._log.info(name, **fields)
        counter = self._counters.get(name)
        if counter is not None:
            counter(block, fields)
        if self._subscribers:
            event = Event(name, execution, self._clock.now(), fields, block)
            for subscriber in self._subscribers:
                subscriber(event)
