"""The completion of one execution: `POST /vertex/v1/complete` until its outcome is known."""

import asyncio
import math

from vertexkit.botone.retries import backoff, confirms_completion
from vertexkit.context.runtime import Runtime
from vertexkit.errors import Fate, PlatformError
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease
from vertexkit.references import error_fields
from vertexkit.worker.held_lease import HeldLease

FORBIDDEN_RETRY_SECONDS = (20.0, 40.0)
"""Pauses between the tries that are answered 403: three tries over a minute. The platform answers
403 for a dialog that is over, and for one that cannot be reached for a moment."""
UNREACHABLE = "unreachable"
"""Code of an outcome: the platform could not be reached in time."""
REJECTED = "refused"
"""Code of an outcome: the platform does not accept the result."""
INVALID_DATA_STATUSES = frozenset({400, 413, 415, 422})
"""Statuses that are about the data: the same bytes would always be rejected."""


class Completion:
    """Sends a result to the platform until it is accepted, or until trying again is useless.

    Every try sends the same bytes, so that it does not matter which of them arrives. Only when the
    platform rejects the bytes themselves is a failure sent in their place.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution; its result is recorded in the journal.
        result: The recorded result.
        timeout: Seconds after which no further try is made.
        held: The lease as this worker sees it.
        journalled: Whether the journal already knows of the first try.
    """

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        result: Result,
        timeout: float,
        held: HeldLease,
        *,
        journalled: bool = False,
    ) -> None:
        self._runtime = runtime
        self._lease = lease
        self._result = result
        self._held = held
        self._deadline = runtime.clock.now() + timeout
        self._may_have_arrived = lease.completion_tried
        self._journalled = journalled
        self._forbidden_count = 0
        self._failure_count = 0
        self._retry_wanted = False
        self._longest_pause = math.inf
        self._pause_changed = asyncio.Event()

    def retry_now(self, deadline: float | None = None) -> None:
        """Skip the pause before the next try.

        Used when the platform has made the same call again, and when the process ends.

        Args:
            deadline: If given, make no further try after this time of the clock's `now()`.
        """
        if deadline is not None:
            self._deadline = min(self._deadline, deadline)
        self._retry_wanted = True
        self._pause_changed.set()

    def limit_pauses(self, seconds: float) -> None:
        """Give up, with the code `UNREACHABLE`, rather than make a pause longer than this.

        Used when the process drains its executions and the journal keeps them for another process.
        """
        self._longest_pause = seconds
        self._pause_changed.set()

    async def run(self) -> Outcome:
        """Send the result until the outcome is known.

        Raises:
            Fenced: Another worker has taken over the execution.
        """
        journal, vertex = self._runtime.journal, self._runtime.vertex
        while self._journalled or await journal.begin_completion(self._lease):
            self._journalled = False
            try:
                await vertex.complete(
                    self._lease.execution.token, self._result.data, self._held.ensure
                )
            except PlatformError as error:
                if not self._may_have_arrived:
                    await self._record_failure(error)
                outcome = await self._handle_error(error)
                if outcome is not None:
                    return outcome
            else:
                return self._completed("204")
        return self._completed("call")

    async def _record_failure(self, error: PlatformError) -> None:
        """Record that the block is not completed, if that is known, for the next worker."""
        if error.fate is Fate.NOT_SENT:
            await self._runtime.journal.withdraw_completion(self._lease)
        elif error.fate is not Fate.UNKNOWN:
            await self._runtime.journal.refuse_completion(self._lease)

    def _completed(self, confirmed_by: str) -> Outcome:
        return Outcome(OutcomeStatus.COMPLETED, self._result.code, confirmed_by=confirmed_by)

    async def _handle_error(self, error: PlatformError) -> Outcome | None:
        """Return the outcome that a failed try leads to, or None after the pause before the next.

        A 403 after a try that may have arrived means that the earlier try did arrive.
        """
        self._failure_count += 1
        seconds = backoff(self._failure_count, error.retry_after)
        if confirms_completion(error, may_have_arrived=self._may_have_arrived):
            return self._completed("403")
        if error.fate is Fate.FORBIDDEN:
            if self._forbidden_count == len(FORBIDDEN_RETRY_SECONDS):
                return Outcome(OutcomeStatus.GONE, self._result.code, reason=str(error))
            seconds = FORBIDDEN_RETRY_SECONDS[self._forbidden_count]
            self._forbidden_count += 1
        elif error.fate is Fate.UNKNOWN:
            self._may_have_arrived = True
        elif error.status in INVALID_DATA_STATUSES:
            return await self._replace_result(error)
        unreachable = Outcome(
            OutcomeStatus.PARKED, UNREACHABLE, reason=f"the block could not be completed: {error}"
        )
        too_long = seconds > self._longest_pause and not self._retry_wanted
        if too_long or self._runtime.clock.now() + seconds > self._deadline:
            return unreachable
        self._runtime.emit(
            "completion_retried", self._lease, seconds=round(seconds, 3), **error_fields(error)
        )
        return None if await self._pause(seconds) else unreachable

    async def _replace_result(self, error: PlatformError) -> Outcome:
        """Complete the block as failed in place of a result that the platform rejected.

        The execution is parked in any case, but its dialog does not wait for an operator.
        """
        reason = f"the platform rejected the result: {error}"
        if self._result.code == REJECTED:
            return Outcome(OutcomeStatus.PARKED, REJECTED, reason=reason)
        self._result = Failure(REJECTED).result()
        await self._runtime.journal.record_result(self._lease, self._result)
        outcome = await self.run()
        if outcome.status is not OutcomeStatus.COMPLETED:
            return outcome
        return Outcome(OutcomeStatus.PARKED, REJECTED, outcome.confirmed_by, reason)

    async def _pause(self, seconds: float) -> bool:
        """Wait until the next try is due; return False if that is later than `limit_pauses` allows."""
        clock = self._runtime.clock
        due_at = clock.now() + seconds
        while not self._retry_wanted and (remaining := due_at - clock.now()) > 0:
            if remaining > self._longest_pause:
                return False
            self._pause_changed.clear()
            sleeping = asyncio.ensure_future(clock.sleep(remaining))
            changed = asyncio.ensure_future(self._pause_changed.wait())
            try:
                await asyncio.wait({sleeping, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                changed.cancel()
        self._retry_wanted = False
        return True
