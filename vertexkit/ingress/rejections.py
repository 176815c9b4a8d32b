"""Calls that are refused for good, so that their dialogs go on all the same."""

import asyncio
from typing import Any

from vertexkit.botone.retries import backoff
from vertexkit.botone.vertex import Vertex
from vertexkit.clock import Clock
from vertexkit.errors import CallError, Fate, PlatformError
from vertexkit.failure import Failure
from vertexkit.telemetry.events import Events
from vertexkit.token import Token

TRIES = 6
"""Tries of one completion: with the pauses between them, about ten seconds."""
AT_ONCE = 1000
"""Refused calls that are being completed; more are left as they are, and said so."""


class Rejections:
    """Completes blocks whose call was refused, as failed. Best effort: they are in no journal.

    Args:
        vertex: completes.
        clock: for the pauses.
        events: told of each.
    """

    def __init__(self, vertex: Vertex, clock: Clock, events: Events) -> None:
        self._vertex = vertex
        self._clock = clock
        self._events = events
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self, token: Token, failure: Failure) -> None:
        """Complete the block behind this token as failed, in the background."""
        if len(self._tasks) >= AT_ONCE:
            self._events.emit("rejected_call_completion_dropped", "", **_said(token, failure))
            return
        task = asyncio.get_running_loop().create_task(self._complete(token, failure))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        """Wait for those under way, at most so many seconds; give up the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _complete(self, token: Token, failure: Failure) -> None:
        data = failure.result().data
        said = _said(token, failure)
        unknown = False
        for tried in range(1, TRIES + 1):
            try:
                await self._vertex.complete(token, data)
            except CallError:
                return
            except PlatformError as error:
                if error.fate is Fate.FORBIDDEN and unknown:
                    break  # an earlier try got through
                unknown = unknown or error.fate is Fate.UNKNOWN
                if error.fate in (Fate.REJECTED, Fate.FORBIDDEN) or tried == TRIES:
                    self._events.emit(
                        "rejected_call_completion_failed", "", reason=str(error), **said
                    )
                    return
                await self._clock.sleep(backoff(tried, error.retry_after))
            else:
                break
        self._events.emit("rejected_call_completed", "", **said)


def _said(token: Token, failure: Failure) -> dict[str, Any]:
    return {"token": token.fingerprint, "code": failure.code, **token.log_fields}
