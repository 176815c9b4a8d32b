"""Takes executions out of the journal and sees each of them to its end."""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from vertexkit.blocks.registry import Block
from vertexkit.context.runtime import Runtime
from vertexkit.errors import JournalError
from vertexkit.journal.protocol import Lease
from vertexkit.worker.attempt import HandlerPolicy
from vertexkit.worker.execution import ExecutionTask

RENEWALS = 3
"""Renewals in the time of one lease: two may fail."""
FIRST_STEPS = 5
"""Limiter of the loop that a handler needs to get to its first request: only then the next ones
can be told apart from those that would wait for a connection."""
LOOK_AGAIN = 0.2
"""Seconds after which a process that ends looks whether its journal is empty by now."""
LAST_WORDS = 5.0
"""Seconds after the grace period for the completions of what had to be cut off."""

log = structlog.get_logger("vertexkit")


class Dispatcher:
    """Runs executions within the limits, each to exactly one outcome.

    Args:
        blocks: by name.
        runtime: of the process.
        policy: the rules for each run.
        patience: seconds for which a completion is tried.
        lease: seconds of a lease.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        runtime: Runtime,
        policy: HandlerPolicy,
        *,
        patience: float,
        lease: float,
    ) -> None:
        self.worker = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._blocks = blocks
        self._runtime = runtime
        self._policy = policy
        self._concurrency = policy.settings.concurrency
        self._patience = patience
        self._lease = lease
        self._active: dict[str, ExecutionTask] = {}
        self._running: Counter[str] = Counter()
        self._handlers = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._claiming = True
        self._hurried = False
        self._last_call: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def active(self) -> int:
        """Executions that this process holds."""
        return len(self._active)

    @property
    def running(self) -> Mapping[str, int]:
        """Handlers that run in this process, by block."""
        return self._running

    async def start(self, broke: Callable[[str], None] = lambda _: None) -> None:
        """Open the journal and begin to take executions out of it.

        Args:
            broke: called once, with the reason, if the journal cannot be used any more.
        """
        await self._runtime.journal.open(self._wake.set, broke)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._dispatch()), loop.create_task(self._renew())]
        self._wake.set()

    def supersede(self, execution: str) -> None:
        """The platform has made the call of this execution again: it is as good as complete."""
        active = self._active.get(execution)
        if active is not None:
            active.supersede()

    def hurry(self) -> None:
        """Somebody is tired of waiting for `drain`: go on to its next step."""
        self._hurried = True
        self._idle.set()

    async def drain(self, grace: float) -> None:
        """End well: no new claims, a grace period, then cut off and complete what is left.

        A journal that does not survive this process is emptied first as far as the grace goes.
        """
        self._claiming = not self._runtime.journal.durable
        await self._until_idle(grace)
        self._claiming = False
        self._last_call = self._runtime.clock.now() + LAST_WORDS
        for active in list(self._active.values()):
            active.last_call(self._last_call)
        if not self._runtime.journal.durable:
            await self._claim_last()
        await self._until_idle(self._policy.settings.cleanup + 2 * LAST_WORDS)
        for task in [*self._tasks, *(a.task for a in self._active.values() if a.task)]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runtime.journal.close()

    async def _until_idle(self, seconds: float) -> None:
        """Wait until nothing is under way, at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not self._hurried and self._busy():
                    self._idle.clear()
                    with suppress(TimeoutError):  # others may have emptied the journal
                        async with asyncio.timeout(LOOK_AGAIN):
                            await self._idle.wait()
                self._hurried = False
        except TimeoutError:
            log.warning("drain_timeout", executions=len(self._active))

    def _busy(self) -> bool:
        return bool(self._active or (self._claiming and self._runtime.journal.backlog()))

    async def _claim_last(self) -> None:
        """Take what still waits in a journal that ends with this process, to fail it politely."""
        everything = dict.fromkeys(self._blocks, 1 << 30)
        leases = await self._runtime.journal.claim(self.worker, everything, 1 << 30, early=True)
        for lease in leases:
            self._begin(lease)

    async def _dispatch(self) -> None:
        """Claim whatever there is room for, whenever something waits or ends."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._claiming and (limit := self._limit()) > 0:
                try:
                    leases = await self._runtime.journal.claim(self.worker, self._room(), limit)
                except JournalError as error:
                    log.warning("claim_failed", reason=str(error))
                    await asyncio.sleep(1.0)
                    self._wake.set()
                    break
                for lease in leases:
                    self._begin(lease)
                if len(leases) < limit:
                    break
                for _ in range(FIRST_STEPS):
                    await asyncio.sleep(0)

    def _limit(self) -> int:
        """How many more handlers may start: no more than the platform has an ear for.

        A handler that is started only to wait for a connection costs memory and its deadline.
        """
        limiter = self._runtime.vertex.limiter
        if limiter.available <= 0:
            limiter.notify_available(self._wake.set)
        return min(self._concurrency - self._handlers, limiter.available)

    def _room(self) -> dict[str, int]:
        """How many more runs each block may have."""
        running = self._running
        room = {
            name: (block.concurrency or self._concurrency) - running[name]
            for name, block in self._blocks.items()
        }
        for name in self._runtime.journal.unserved_blocks(self._blocks):
            room[name] = self._concurrency  # nobody has a handler for it: it is parked
        return room

    async def _renew(self) -> None:
        """Keep the leases; learn what other workers did."""
        while True:
            await asyncio.sleep(min(self._lease / RENEWALS, 3600.0))
            if not self._active:
                self._wake.set()  # another worker's leases may have run out
                continue
            try:
                news = await self._runtime.journal.renew(self.worker, list(self._active))
            except JournalError as error:
                log.warning("renew_failed", reason=str(error))
                continue
            for execution in news.superseded:
                self.supersede(execution)
            for execution in news.lost:
                active = self._active.get(execution)
                if active is not None:
                    active.lose()
            self._wake.set()

    def _begin(self, lease: Lease) -> None:
        block = self._blocks.get(lease.execution.block)
        active = ExecutionTask(lease, block, self._runtime, self._policy, self._patience)
        stale = self._active.get(lease.execution.id)
        if stale is not None:  # this process stood still, and its own lease ran out meanwhile
            stale.lose()
        self._active[lease.execution.id] = active
        if lease.result is None:
            self._handlers += 1
            self._running[lease.execution.block] += 1
        if self._last_call is not None:
            active.last_call(self._last_call)
        active.start(self._free, self._forget)

    def _free(self, active: ExecutionTask) -> None:
        """A handler has returned: its place is for others."""
        self._handlers -= 1
        self._running[active.lease.execution.block] -= 1
        self._wake.set()

    def _forget(self, active: ExecutionTask) -> None:
        if self._active.get(active.lease.execution.id) is active:
            del self._active[active.lease.execution.id]
        self._idle.set()
