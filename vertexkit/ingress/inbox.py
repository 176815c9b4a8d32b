"""The only place where an execution is born."""

import time
from collections.abc import Callable
from typing import Any

from vertexkit.execution import Execution, new_execution_id
from vertexkit.journal.protocol import Acceptance, Journal
from vertexkit.telemetry import logs, tracing
from vertexkit.telemetry.events import Events
from vertexkit.token import Token


class Inbox:
    """Takes calls into the journal.

    Args:
        journal: opened.
        events: told of what was accepted.
        room: executions that may wait; more are refused.
    """

    def __init__(self, journal: Journal, events: Events, room: int) -> None:
        self._journal = journal
        self._events = events
        self._room = room
        self._on_superseded: list[Callable[[str], None]] = []

    def on_superseded(self, callback: Callable[[str], None]) -> None:
        """Call back with the id of an execution whose call the platform has made again."""
        self._on_superseded.append(callback)

    async def accept(
        self, block: str, token: Token, inputs: dict[str, Any], raw: bytes
    ) -> Acceptance:
        """Keep a call as an execution, unless it is the same call as one under way.

        When this returns, the execution is in the journal: it may be answered with 2xx.

        Raises:
            QueueFull: nothing was kept.
            JournalUnavailable: nothing was kept.
        """
        execution = Execution(
            new_execution_id(), block, token, inputs, raw, time.time(), tracing.carried()
        )
        acceptance = await self._journal.accept(execution, self._room)
        logs.bind(execution)
        tracing.note(execution=acceptance.execution)
        if not acceptance.new:
            self._events.emit(
                "deduplicated", acceptance.execution, block, original=acceptance.execution
            )
            return acceptance
        self._events.emit("accepted", execution.id, block, bytes=len(raw))
        if acceptance.supersedes is not None:
            for callback in self._on_superseded:
                callback(acceptance.supersedes)
        return acceptance
