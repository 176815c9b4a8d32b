"""The completion of one execution: the same bytes, until it is known how it ended."""

import asyncio

from vertexkit.botone.retries import backoff
from vertexkit.context.runtime import Runtime
from vertexkit.errors import Fate, PlatformError
from vertexkit.execution import Ending, Outcome, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease

GONE_PAUSES = (20.0, 40.0)
"""Seconds between the tries that are refused with 403: three over a minute. The platform says 403
for a dialog that is over as well as for one that cannot be reached for a moment."""
UNREACHABLE = "unreachable"
"""The code of an outcome for which the platform was not reached in time."""
LASTING = frozenset({400, 413, 415, 422})
"""Statuses that say the data is at fault: the same bytes would be refused for ever."""


class Completion:
    """Tries to complete a block until the platform has said yes, or there is no use.

    Args:
        runtime: of the process.
        lease: of the execution; its result has been fixed in the journal.
        result: the one that was fixed.
        patience: seconds until it is given up.
        noted: the first try is in the journal already.
    """

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        result: Result,
        patience: float,
        *,
        noted: bool = False,
    ) -> None:
        self._runtime = runtime
        self._lease = lease
        self._result = result
        self._give_up = runtime.clock.now() + patience
        self._unknown = lease.completion_tried
        self._noted = noted
        self._forbidden = 0
        self._failures = 0
        self._hurried = asyncio.Event()

    def hurry(self, give_up: float | None = None) -> None:
        """End the pause between two tries now; with a time on the clock, give up by then.

        For when the platform has made the same call again, and for the end of the process.
        """
        if give_up is not None:
            self._give_up = min(self._give_up, give_up)
        self._hurried.set()

    async def run(self) -> Outcome:
        """Try until it is known how it ended.

        Raises:
            Fenced: another worker does it by now.
        """
        journal, vertex = self._runtime.journal, self._runtime.vertex
        while self._noted or await journal.begin_completion(self._lease):
            self._noted = False
            try:
                await vertex.complete(self._lease.execution.token, self._result.data)
            except PlatformError as error:
                if error.fate is Fate.NOT_SENT and not self._unknown:
                    await journal.withdraw_completion(self._lease)
                outcome = await self._after(error)
                if outcome is not None:
                    return outcome
            else:
                return self._completed("204")
        return self._completed("call")

    def _completed(self, by: str) -> Outcome:
        return Outcome(Ending.COMPLETED, self._result.code, confirmed_by=by)

    async def _after(self, error: PlatformError) -> Outcome | None:
        """What a failed try means: an outcome, or None after the pause before the next one."""
        self._failures += 1
        wait = backoff(self._failures, error.retry_after)
        if error.fate is Fate.GONE:
            if self._unknown:
                return self._completed("403")
            if self._forbidden == len(GONE_PAUSES):
                return Outcome(Ending.GONE, self._result.code, reason=str(error))
            wait = GONE_PAUSES[self._forbidden]
            self._forbidden += 1
        elif error.fate is Fate.UNKNOWN:
            self._unknown = True
        elif error.status in LASTING:
            return await self._refused(error)
        if self._runtime.clock.now() + wait > self._give_up:
            return Outcome(
                Ending.PARKED, UNREACHABLE, reason=f"the completion did not get through: {error}"
            )
        self._emit("completion_retried", reason=str(error), seconds=round(wait, 3))
        await self._pause(wait)
        return None

    async def _refused(self, error: PlatformError) -> Outcome:
        """The platform does not take these bytes. A hanging dialog would be worse than others."""
        reason = f"the result was refused: {error}"
        if self._result.code == "refused":
            return Outcome(Ending.PARKED, "refused", reason=reason)
        self._result = Failure("refused").result()
        await self._runtime.journal.record_result(self._lease, self._result)
        outcome = await self.run()
        if outcome.ending is not Ending.COMPLETED:
            return outcome
        return Outcome(Ending.PARKED, "refused", outcome.confirmed_by, reason)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless hurried."""
        sleeping = asyncio.ensure_future(self._runtime.clock.sleep(seconds))
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({sleeping, hurried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            hurried.cancel()
            self._hurried.clear()

    def _emit(self, name: str, **fields: object) -> None:
        self._runtime.emit(name, self._lease, **fields)
