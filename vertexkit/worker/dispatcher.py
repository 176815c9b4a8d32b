"""The dispatcher claims executions from the journal and runs each one to its outcome."""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.registry import Block, fleet_limits
from vertexkit.context.runtime import Runtime
from vertexkit.errors import JournalError
from vertexkit.journal.protocol import JournalObserver, Lease
from vertexkit.references import error_fields
from vertexkit.settings import HandlerSettings
from vertexkit.system.supervision import Supervisor
from vertexkit.worker.execution import ExecutionTask
from vertexkit.worker.held_lease import HeldLease
from vertexkit.worker.policy import HandlerPolicy

RENEWALS_PER_LEASE = 3
"""How often a lease is renewed before it would expire: two renewals may fail."""
RENEWAL_MAX_SECONDS = 3600.0
"""Leases are renewed at least this often."""
LOOP_TURNS_BETWEEN_CLAIMS = 5
"""Turns of the event loop that new handlers get before more executions are claimed: after them a
handler has sent its first request, and `Limiter.available` is right again."""
OWN_CALLS = 2
"""A process that runs fewer handlers claims the calls that it accepts together with them."""
CLAIM_RETRY_SECONDS = 1.0
"""Pause after a failed claim."""
DRAIN_POLL_SECONDS = 0.2
"""How often a draining process checks whether its journal is empty."""
COMPLETION_SECONDS_AFTER_GRACE = 5.0
"""Time after the grace period for completing the blocks whose handlers were stopped."""
UNLIMITED = 1 << 30
"""More executions than a journal holds."""


def seconds_after_grace(settings: HandlerSettings) -> float:
    """Return how long a drain lasts after the grace period at most."""
    return settings.cleanup + 2 * COMPLETION_SECONDS_AFTER_GRACE


log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Dispatcher:
    """Runs executions within the limits, each to exactly one outcome.

    Args:
        blocks: The app's blocks by name.
        runtime: Objects of the process.
        policy: The app's rules for handlers.
        completion_timeout: Seconds for which a completion is tried.
        lease: Duration of a lease in seconds.
        supervisor: Starts the background tasks.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        runtime: Runtime,
        policy: HandlerPolicy,
        *,
        completion_timeout: float,
        lease: float,
        supervisor: Supervisor,
    ) -> None:
        self.worker: str = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._blocks = blocks
        self._runtime = runtime
        self._policy = policy
        self._concurrency = policy.settings.concurrency
        self._limits = fleet_limits(blocks, policy.settings.fleet_concurrency)
        self._completion_timeout = completion_timeout
        self._lease_seconds = lease
        self._supervisor = supervisor
        self._executions: dict[str, ExecutionTask] = {}
        self._running: Counter[str] = Counter()
        self._handler_count = 0
        self._claim_wanted = asyncio.Event()
        self._execution_ended = asyncio.Event()
        self._claiming = True
        self._skip_phase = False
        self._shutdown_deadline: float | None = None
        self._cleaned_up_at = 0.0
        """When stopped handlers have had their time to clean up, by the loop's clock."""
        self._tasks: list[asyncio.Task[None]] = []
        self._on_ended: Callable[[], object] = lambda: None

    def notify_ended(self, callback: Callable[[], object]) -> None:
        """Call a function whenever an execution ends in this process.

        Args:
            callback: must return quickly; its result is ignored.
        """
        self._on_ended = callback

    @property
    def held(self) -> int:
        """Number of executions that this process holds."""
        return len(self._executions)

    @property
    def running(self) -> Mapping[str, int]:
        """Number of handlers that run in this process, by block."""
        return self._running

    @property
    def waiting_for_limits(self) -> Mapping[str, int]:
        """Number of executions of the fleet that wait for a limit, by block with limits."""
        limited = self._limits.blocks if self._limits is not None else ()
        return dict.fromkeys(limited, 0) | dict(self._runtime.journal.waiting_for_limits())

    def count_waiting(self) -> int:
        """Return how many executions wait for a handler or for the platform, not for a limit."""
        journal = self._runtime.journal
        limited = sum(journal.waiting_for_limits().values()) if self._limits is not None else 0
        return journal.backlog() - limited

    def wake(self) -> None:
        """Claim again soon: an execution may have become claimable."""
        self._claim_wanted.set()

    def expect_call(self) -> None:
        """Claim with the call that is about to be accepted, if this process runs few handlers.

        A busier process leaves its calls to the one that claims first.
        """
        if self._handler_count < OWN_CALLS:
            self._claim_wanted.set()

    async def start(self, observer: JournalObserver) -> None:
        """Open the journal and start to claim executions.

        Args:
            observer: of the journal; calls `wake` when the journal is ready.
        """
        await self._runtime.journal.open(observer)
        self._tasks = [
            self._supervisor.start("claiming of executions", self._dispatch()),
            self._supervisor.start("renewal of leases", self._renew()),
        ]
        self._claim_wanted.set()

    def supersede(self, execution: str) -> None:
        """The platform has made the call of this execution again."""
        task = self._executions.get(execution)
        if task is not None:
            task.supersede()

    def skip_drain_phase(self) -> None:
        """Skip the rest of the current phase of `drain`."""
        self._skip_phase = True
        self._execution_ended.set()

    async def drain(self, grace: float) -> None:
        """Stop claiming, let running handlers finish, then stop those that are left.

        A completion whose next try is not due soon is left in the journal for another process.
        If the journal does not survive this process, executions are claimed from it during the
        grace period too, and what is left in it then is completed as failed. While the journal cannot
        be written, nothing can be completed: then only the handlers' cleanup is waited for.

        Args:
            grace: Seconds that running handlers get to finish.
        """
        self._claiming = not self._runtime.journal.durable
        for task in list(self._executions.values()):
            task.drain()
        await self._wait_until_idle(grace)
        self._claiming = False
        self._shutdown_deadline = self._runtime.clock.now() + COMPLETION_SECONDS_AFTER_GRACE
        loop = asyncio.get_running_loop()
        self._cleaned_up_at = loop.time() + self._policy.settings.cleanup
        for task in list(self._executions.values()):
            task.shut_down(self._shutdown_deadline)
        if not self._runtime.journal.durable:
            await self._claim_everything()
        await self._wait_until_idle(seconds_after_grace(self._policy.settings))
        self._supervisor.cancel(*self._tasks)
        for running in [task.task for task in self._executions.values() if task.task is not None]:
            running.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runtime.journal.close()

    async def _wait_until_idle(self, seconds: float) -> None:
        """Wait until this process has nothing to do, or until the time is up."""
        try:
            async with asyncio.timeout(seconds):
                while not self._skip_phase and self._is_busy() and not self._is_stuck():
                    self._execution_ended.clear()
                    with suppress(TimeoutError):  # other processes may have emptied the journal
                        async with asyncio.timeout(DRAIN_POLL_SECONDS):
                            await self._execution_ended.wait()
                self._skip_phase = False
        except TimeoutError:
            log.warning("drain_timeout", executions=len(self._executions))

    def _is_busy(self) -> bool:
        return bool(self._executions or (self._claiming and self._runtime.journal.backlog()))

    def _is_stuck(self) -> bool:
        """Whether the journal cannot be written and the stopped handlers have had their time."""
        if self._shutdown_deadline is None:
            return False
        is_cleaning = (
            self._handler_count and asyncio.get_running_loop().time() < self._cleaned_up_at
        )
        return not is_cleaning and bool(self._runtime.journal.unavailable_reason())

    async def _claim_everything(self) -> None:
        """Claim what is left in a journal that ends with this process, to complete it as failed."""
        room = dict.fromkeys(self._blocks, UNLIMITED)
        asked_at = self._runtime.clock.uptime()
        leases = await self._runtime.journal.claim(self.worker, room, UNLIMITED, early=True)
        for lease in leases:
            self._start_execution(lease, asked_at)

    async def _dispatch(self) -> None:
        """Claim as many executions as may run, whenever one is due or another one ends."""
        while True:
            await self._claim_wanted.wait()
            self._claim_wanted.clear()
            while self._claiming and (limit := self._handlers_to_start()) > 0:
                asked_at = self._runtime.clock.uptime()
                try:
                    leases = await self._runtime.journal.claim(
                        self.worker, self._room_by_block(), limit, limits=self._limits
                    )
                except JournalError as error:
                    log.warning("claim_failed", **error_fields(error))
                    await asyncio.sleep(CLAIM_RETRY_SECONDS)
                    self._claim_wanted.set()
                    break
                for lease in leases:
                    self._start_execution(lease, asked_at)
                if len(leases) < limit:
                    break
                for _ in range(LOOP_TURNS_BETWEEN_CLAIMS):
                    await asyncio.sleep(0)

    def _handlers_to_start(self) -> int:
        """Return how many more handlers may start: at most one per free platform connection.

        A handler that waits for a connection would only use memory and its time.
        """
        limiter = self._runtime.vertex.limiter
        if limiter.available <= 0:
            limiter.notify_available(self._claim_wanted.set)
        return min(self._concurrency - self._handler_count, limiter.available)

    def _room_by_block(self) -> dict[str, int]:
        """Return how many more handlers of each block may start."""
        running = self._running
        room = {
            name: (block.options["concurrency"] or self._concurrency) - running[name]
            for name, block in self._blocks.items()
        }
        for name in self._runtime.journal.unserved_blocks(self._blocks):
            room[name] = self._concurrency  # no process has a handler for it: it is parked
        return room

    async def _renew(self) -> None:
        """Renew the leases, and learn from the journal what other processes did."""
        while True:
            await asyncio.sleep(min(self._lease_seconds / RENEWALS_PER_LEASE, RENEWAL_MAX_SECONDS))
            if not self._executions:
                self._claim_wanted.set()  # another worker's leases may have expired
                continue
            executions, asked_at = list(self._executions), self._runtime.clock.uptime()
            try:
                renewal = await self._runtime.journal.renew(self.worker, executions)
            except JournalError as error:
                log.warning("renew_failed", **error_fields(error))
                continue
            for execution in executions:
                if execution in renewal.superseded:
                    self.supersede(execution)
                if (task := self._executions.get(execution)) is None:
                    continue
                if execution in renewal.lost:
                    task.fence()
                else:
                    task.held.renewed(asked_at)
            self._claim_wanted.set()

    def _start_execution(self, lease: Lease, asked_at: float) -> None:
        execution, runtime = lease.execution, self._runtime
        task = ExecutionTask(
            lease,
            self._blocks.get(execution.block),
            self._runtime,
            self._policy,
            self._completion_timeout,
            HeldLease(lease, self._lease_seconds, runtime.journal, runtime.clock, asked_at),
        )
        stale = self._executions.get(execution.id)
        if stale is not None:  # this process was suspended until its own lease had expired
            stale.fence()
        self._executions[execution.id] = task
        if lease.result is None:
            self._handler_count += 1
            self._running[execution.block] += 1
        if not self._claiming:
            task.drain()
        if self._shutdown_deadline is not None:
            task.shut_down(self._shutdown_deadline)
        task.start(self, self._supervisor)

    def handler_finished(self, task: ExecutionTask) -> None:
        """See `ExecutionObserver`."""
        self._handler_count -= 1
        self._running[task.lease.execution.block] -= 1
        self._claim_wanted.set()

    def execution_finished(self, task: ExecutionTask) -> None:
        """See `ExecutionObserver`."""
        execution = task.lease.execution.id
        if self._executions.get(execution) is task:
            del self._executions[execution]
        self._execution_ended.set()
        self._on_ended()
