"""The lease of an execution as the worker that holds it sees it."""

from vertexkit.clock import Clock
from vertexkit.errors import Fenced
from vertexkit.journal.protocol import Journal, Lease


class HeldLease:
    """Knows when a lease may have expired without a word from the journal.

    A process that was stopped (by SIGSTOP, a debugger, a suspended machine, an overloaded host)
    continues in the middle of what it did. Meanwhile another worker may have taken over the
    execution: a message that the process sends then is late. So it compares its own clock with the
    last renewal before each request.

    Args:
        lease: The lease.
        seconds: Its length.
        journal: Renews it.
        clock: Of the process; `uptime` counts the time in which the machine was suspended too.
        renewed_at: Uptime before the lease was claimed.
    """

    def __init__(
        self, lease: Lease, seconds: float, journal: Journal, clock: Clock, renewed_at: float
    ) -> None:
        self._lease = lease
        self._seconds = seconds
        self._journal = journal
        self._clock = clock
        self._renewed_at = renewed_at

    def renewed(self, at: float) -> None:
        """The journal has renewed the lease.

        Args:
            at: Uptime before the journal was asked.
        """
        self._renewed_at = max(self._renewed_at, at)

    async def ensure(self) -> None:
        """Return if the lease is valid; renew it first if it may have expired.

        Raises:
            Fenced: It has expired, and another worker has taken over the execution.
            JournalError: The journal cannot be asked.
        """
        while (now := self._clock.uptime()) - self._renewed_at >= self._seconds:
            execution = self._lease.execution.id
            renewal = await self._journal.renew(self._lease.worker, [execution])
            if execution in renewal.lost:
                raise Fenced(f"the lease of execution {execution} has expired")
            self.renewed(now)
