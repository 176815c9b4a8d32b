"""Rejected calls: their blocks are completed as failed, so that the dialogs continue."""

import asyncio
from typing import Any

from vertexkit.botone.retries import backoff, confirms_completion
from vertexkit.botone.vertex import Vertex
from vertexkit.clock import Clock
from vertexkit.errors import CallError, Fate, PlatformError
from vertexkit.failure import Failure
from vertexkit.references import error_fields
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.events import Events
from vertexkit.token import Token

MAX_ATTEMPTS = 6
"""Attempts to complete one block: with the pauses between them, about ten seconds."""
MAX_CONCURRENT = 1000
"""Rejected calls whose blocks are being completed. For further ones nothing is sent."""


class Rejections:
    """Completes the blocks of rejected calls as failed.

    Best effort: these completions are not in the journal.

    Args:
        vertex: sends the completions.
        clock: for the pauses.
        events: receives the outcome of each completion.
        supervisor: starts the completions.
    """

    def __init__(
        self, vertex: Vertex, clock: Clock, events: Events, supervisor: Supervisor
    ) -> None:
        self._vertex = vertex
        self._clock = clock
        self._events = events
        self._supervisor = supervisor
        self._tasks: set[asyncio.Task[None]] = set()

    def reject(self, token: Token, failure: Failure) -> None:
        """Complete the block of a rejected call in the background.

        Args:
            token: of the call.
            failure: what the block is completed with.
        """
        if len(self._tasks) >= MAX_CONCURRENT:
            self._events.emit("rejected_call_completion_dropped", "", **_fields(token, failure))
            return
        work = self._complete(token, failure)
        task = self._supervisor.start("completion of a rejected call", work, endless=False)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Wait for the completions in progress, then cancel the rest.

        Args:
            seconds: how long to wait at most.
        """
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _complete(self, token: Token, failure: Failure) -> None:
        data = failure.result().data
        fields = _fields(token, failure)
        may_have_arrived = False
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                await self._vertex.complete(token, data)
            except CallError:
                return
            except PlatformError as error:
                if confirms_completion(error, may_have_arrived=may_have_arrived):
                    break
                may_have_arrived = may_have_arrived or error.fate is Fate.UNKNOWN
                if error.fate in (Fate.REJECTED, Fate.FORBIDDEN) or attempt == MAX_ATTEMPTS:
                    self._events.emit(
                        "rejected_call_completion_failed", "", **error_fields(error), **fields
                    )
                    return
                await self._clock.sleep(backoff(attempt, error.retry_after))
            else:
                break
        self._events.emit("rejected_call_completed", "", **fields)


def _fields(token: Token, failure: Failure) -> dict[str, Any]:
    return {"token": token.fingerprint, "code": failure.code, **token.log_fields}
