"""Claiming executions for the workers of this process."""

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress

from psycopg.pq.abc import PGresult

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.postgres.limits import (
    ADD_LIMITS,
    CLAIM_LIMITED,
    KEYS_OF_CLAIM,
    LOCK,
    RETRY_SECONDS,
    claim_values,
    lock_values,
)
from vertexkit.journal.postgres.monitor import Monitor
from vertexkit.journal.postgres.statements import CLAIM, RELEASE_UNKNOWN
from vertexkit.journal.postgres.writer import Writer
from vertexkit.journal.state.row import RESULT_QUEUE

KEYS_MARGIN = 1.5
"""Hashes are not spread evenly: a part of the keys may have more of them than another one."""
TURN_SECONDS = 0.1
"""Pause between two claims that look at different parts of the keys."""
TIMERS_OF_PERIOD = 100
"""Timers in the period of a rate; a run may start this part of its period late."""


class Claims:
    """Claims executions, with the limits of the app if it has any.

    Args:
        writer: of the journal.
        monitor: knows how many keys have executions.
        lease: seconds of a lease.
        clock: of the process.
        notify_later: wakes the worker after some seconds.
    """

    def __init__(
        self,
        writer: Writer,
        monitor: Monitor,
        lease: float,
        clock: Clock,
        notify_later: Callable[[float], object],
    ) -> None:
        self.has_limits: bool = False
        """The last claim had limits."""
        self._writer = writer
        self._monitor = monitor
        self._lease = lease
        self._clock = clock
        self._wakes_at: dict[float, float] = {}
        """The last timer for each period of a rate."""
        self._turn = 0
        """Which part of the keys the last claim looked at."""
        self._notify_later = notify_later
        self._unknown: set[str] = set()
        """Workers whose last claim may have been committed without an answer."""
        self._names: set[str] = set()
        """Limits that are in the database."""
        self._names_in = 0
        """The connection over which they were added: a server that dies may forget them."""

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool,
        limits: FleetLimits | None,
        held: Mapping[str, int],
    ) -> PGresult:
        """Claim; see `Journal.claim`.

        Args:
            worker: id of the worker.
            room: maximum number of executions per block.
            limit: maximum number of executions in total.
            early: also take executions whose next run is scheduled for later.
            limits: of the app.
            held: epochs of what this process has claimed, by execution.

        Returns:
            The rows of CLAIM or CLAIM_LIMITED.
        """
        if worker in self._unknown:
            await self._release(worker, held)
        rooms = {RESULT_QUEUE: limit, **{block: n for block, n in room.items() if n > 0}}
        self.has_limits = limits is not None
        try:
            if limits is not None or self._monitor.counts.keys:
                limits = FleetLimits() if limits is None or early else limits
                return await self._claim_limited((worker, self._lease, limit, early), rooms, limits)
            values = (worker, self._lease, limit, early, list(rooms), list(rooms.values()))
            claimed: PGresult = await self._writer.write(CLAIM, values, optional=True)
        except (JournalUnavailable, asyncio.CancelledError):
            self.lose(worker)
            raise
        return claimed

    def lose(self, worker: str) -> None:
        """Note that what the last claim of a worker has taken has no handler."""
        self._unknown.add(worker)

    async def close(self, held: Mapping[str, int]) -> None:
        """Release what claims may have taken and no handler has been started for.

        Args:
            held: epochs of what this process has claimed, by execution.
        """
        with suppress(JournalUnavailable):  # their leases expire
            for worker in list(self._unknown):
                await self._release(worker, held)

    async def _release(self, worker: str, held: Mapping[str, int]) -> None:
        values = (worker, list(held), list(held.values()))
        await self._writer.write(RELEASE_UNKNOWN, values, optional=True)
        self._unknown.discard(worker)

    async def _claim_limited(
        self, values: tuple[object, ...], rooms: Mapping[str, int], limits: FleetLimits
    ) -> PGresult:
        """Claim as far as the limits allow."""
        write, lock = self._writer.write, lock_values(limits)
        names = lock[0]
        if self._names_in != self._writer.connections:
            self._names.clear()
        if not self._names.issuperset(names):
            self._names_in = self._writer.connections
            await write(ADD_LIMITS, (names,), optional=True)
            self._names.update(names)
        keys = self._monitor.counts.keys
        turns = math.ceil(KEYS_MARGIN * keys / KEYS_OF_CLAIM) or 1
        self._turn = (self._turn + 1) % turns
        start = f"{self._turn * (1 << 32) // turns:08x}"  # keys are hashes in hexadecimal digits
        locking = write(LOCK, lock, optional=True)
        # If the server forgot a run, others would start in its place while its handler still runs.
        claiming = write(
            CLAIM_LIMITED,
            claim_values(values, rooms, limits, start),
            power=bool(names),
            optional=True,
        )
        claimed: PGresult = await claiming
        locked: PGresult = await locking
        if locked.ntuples < len(names):  # another process claims at this moment
            self._notify_later(RETRY_SECONDS)
        if turns > 1:
            self._notify_later(TURN_SECONDS)
        if claimed.ntuples:
            for block in limits.blocks.values():
                if block.rate is not None:
                    self._wake_after(block.rate.seconds)
        return claimed

    def _wake_after(self, seconds: float) -> None:
        """Wake the worker when the runs that have just started leave the period of their rate.

        The times are rounded up, so that the number of timers is limited.
        """
        step = max(seconds / TIMERS_OF_PERIOD, RETRY_SECONDS)
        due = step * math.ceil((self._clock.now() + seconds) / step)
        if due > self._wakes_at.get(seconds, 0.0):
            self._wakes_at[seconds] = due
            self._notify_later(due - self._clock.now())
