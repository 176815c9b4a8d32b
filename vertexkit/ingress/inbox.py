"""The only place where executions are created."""

from typing import Any, Protocol

from vertexkit.clock import Clock
from vertexkit.execution import Execution, new_execution_id
from vertexkit.ingress.pacing import Pacing
from vertexkit.journal.protocol import Acceptance, Journal
from vertexkit.telemetry import logs, tracing
from vertexkit.telemetry.events import Events
from vertexkit.token import Token


class SupersessionObserver(Protocol):
    """Learns about executions that a repeated call replaces."""

    def supersede(self, execution: str) -> None:
        """The platform repeated the call of an execution that is being completed.

        Args:
            execution: its id.
        """


class Inbox:
    """Writes calls to the journal as executions.

    Args:
        journal: must be open.
        events: receives `accepted` and `deduplicated`.
        queue_limit: maximum number of waiting executions; further calls are rejected.
        observer: learns about superseded executions.
        clock: dates the calls.
        pacing: says when a call is accepted; None: at once.
    """

    def __init__(
        self,
        journal: Journal,
        events: Events,
        queue_limit: int,
        observer: SupersessionObserver,
        clock: Clock,
        pacing: Pacing | None = None,
    ) -> None:
        self._journal = journal
        self._events = events
        self._queue_limit = queue_limit
        self._observer = observer
        self._clock = clock
        self._pacing = pacing

    async def accept(
        self,
        block: str,
        token: Token,
        inputs: dict[str, Any],
        raw: bytes,
        limit_key: str | None = None,
    ) -> Acceptance:
        """Write a call to the journal, unless it repeats the call of an execution in progress.

        When this returns, the execution is in the journal, and the call may be answered with 2xx.

        Args:
            block: name of the block.
            token: of the call.
            inputs: of the block.
            raw: body of the request, from which repeated calls are recognised.
            limit_key: see `Execution.limit_key`.

        Returns:
            The execution, and whether it is new.

        Raises:
            QueueFull: nothing was written.
            JournalUnavailable: nothing was written.
        """
        now, trace = self._clock.unix(), tracing.traceparent()
        execution = Execution(new_execution_id(), block, token, inputs, raw, now, trace, limit_key)
        if self._pacing is not None and (turn := self._pacing.turn()) is not None:
            await turn
        acceptance = await self._journal.accept(execution, self._queue_limit)
        logs.bind(execution)
        tracing.set_attributes(execution=acceptance.execution)
        if not acceptance.new:
            self._events.emit(
                "deduplicated", acceptance.execution, block, original=acceptance.execution
            )
            return acceptance
        self._events.emit("accepted", execution.id, block, bytes=len(raw))
        if acceptance.supersedes is not None:
            self._observer.supersede(acceptance.supersedes)
        return acceptance
