"""What goes wrong in a simulation: processes, disk, platform, operators."""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random

from tests.chaos.simulation.deployment import Deployment
from tests.chaos.simulation.disk import Disk
from tests.chaos.simulation.network import Network
from tests.chaos.simulation.processes import Process
from tests.chaos.simulation.scheduler import Scheduler
from vertexkit.errors import JournalUnavailable, OperationNotAllowed
from vertexkit.execution import Phase
from vertexkit.journal.protocol import JournalBackend, Query
from vertexkit.testing import FakePlatform

FAULTS: tuple[str | int, ...] = ("cut", "lost", "half", "garbage", 429, 500, 503, 403, 400, "slow")
"""What happens to requests at the platform."""
KINDS = ("kill", "power", "terminate", "freeze", "hold", "fill", "break", "operate", "gone")
DEADLY = ("kill", "power", "terminate", "freeze")
"""At least one of them happens with every seed."""
LEASE = 30.0
ALL = 1 << 30


class Attacks:
    """Attacks a deployment at random moments.

    Every seed uses some kinds of attacks and of faults only: a rare one may need the absence of
    others to do harm.

    Args:
        scheduler: of the simulation.
        random: of the seed.
        network: may be unable to reach the platform.
        disk: may be held, full or broken.
        platform: may be slow, or answer with errors.
        deployment: is killed, stopped and frozen.
        note: adds a line to the trace.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        network: Network,
        disk: Disk,
        platform: FakePlatform,
        deployment: Deployment,
        note: Callable[[str], None],
    ) -> None:
        self.forgotten: set[str] = set()
        """Executions that an operator has deleted."""
        self.afresh: set[str] = set()
        """Executions that an operator has started from the beginning."""
        self.froze: bool = False
        """A process was frozen."""
        self._scheduler = scheduler
        self._random = random
        self._network = network
        self._disk = disk
        self._platform = platform
        self._deployment = deployment
        self._note = note
        self._happened: asyncio.Future[None] | None = None
        self._kinds = [random.choice(DEADLY), *random.sample(KINDS, random.randint(0, 3))]

    async def run(self, number: int, seconds: float) -> None:
        """Attack a number of times, then leave everything in order."""
        random = self._random
        if random.random() < 0.7:
            faults = random.sample(FAULTS, random.randint(1, 4))
            self._platform.chaos(random.choice((0.03, 0.1, 0.3)), faults)
            self._network.unreachable_rate = random.choice((0.0, 0.1))
        for _ in range(number):
            await asyncio.sleep(random.random() * 2 * seconds / number)
            await getattr(self, f"_{random.choice(self._kinds)}")()
        self._platform.chaos(0.0)
        self._platform.clear_faults()
        self._network.unreachable_rate = 0.0

    def something_happened(self) -> None:
        """Note that the service is not idle: it is a moment for an attack."""
        happened, self._happened = self._happened, None
        if happened is not None and not happened.done():
            happened.set_result(None)

    async def _moment(self, process: Process) -> None:
        """Wait for a moment at which the process may be in the middle of something."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                for _ in range(self._random.choice((0, 1, 4))):
                    self._happened = loop.create_future()
                    await self._happened
                reached: asyncio.Future[None] = loop.create_future()
                process.loop.after_turns(self._random.choice((1, 2, 5, 20, 60)), reached)
                await reached
        if self._random.random() < 0.5:
            await asyncio.sleep(self._scheduler.latency())

    async def _kill(self) -> None:
        if processes := self._deployment.processes:
            process = self._random.choice(processes)
            await self._moment(process)
            if process.alive:
                self._note(f"attack: SIGKILL to {process.name}")
                process.kill()

    async def _power(self) -> None:
        if processes := self._deployment.processes:
            await self._moment(self._random.choice(processes))
            self._note("attack: the power is cut")
            self._deployment.lose_power()

    async def _terminate(self) -> None:
        if services := self._deployment.serving():
            process = self._random.choice(services)
            await self._moment(process)
            self._note(f"attack: SIGTERM to {process.name}")
            process.terminate()

    async def _freeze(self) -> None:
        if processes := self._deployment.processes:
            process = self._random.choice(processes)
            await self._moment(process)
            seconds = self._random.choice((0.5, 5.0, LEASE + 1.0, 2 * LEASE))
            self._note(f"attack: SIGSTOP to {process.name} for {seconds:g} s")
            until = max(process.loop.frozen_until, self._scheduler.now + seconds)
            process.loop.frozen_until = until
            self.froze = True

    async def _hold(self) -> None:
        seconds = self._random.choice((0.05, 1.0, 8.0))
        self._note(f"attack: the disk is held for {seconds:g} s")
        self._disk.held_until = self._scheduler.now + seconds

    async def _fill(self) -> None:
        seconds = self._random.choice((0.1, 2.0))
        self._note(f"attack: the disk is full for {seconds:g} s")
        self._disk.full_until = self._scheduler.now + seconds

    async def _break(self) -> None:
        if self._random.random() < 0.3:
            self._note("attack: the next commit fails")
            self._disk.breaks = True

    async def _gone(self) -> None:
        method = self._random.choice(("send_message", "complete"))
        self._platform.fail(method, kind="gone", after=self._random.randrange(3))

    async def _operate(self) -> None:
        journal, owner = self._deployment.journal(), self._deployment.owner
        if journal is not None and owner is not None:
            with contextlib.suppress(asyncio.CancelledError, JournalUnavailable):
                await asyncio.shield(owner.ask(lambda: self._give_order(journal)))

    async def _give_order(self, journal: JournalBackend) -> None:
        """Drop an execution that waits or is parked, or retry a parked one, as an operator."""
        order = self._random.choice(("drop", "retry", "fresh"))
        records = await journal.search(Query(limit=ALL))
        found = [record for record in records if record.outcome is not None and record.retryable]
        if order == "drop":
            found += [record for record in records if record.phase is Phase.WAITING]
        if not found:
            return
        name = self._random.choice(found).execution
        self._note(f"operator: {order} {name}")
        with contextlib.suppress(OperationNotAllowed):
            if order == "drop":
                self.forgotten.add(name)  # it may be deleted from now on
                await journal.drop(name)
                if await journal.find(name) is not None:
                    self.forgotten.discard(name)
            else:
                self.afresh |= {name} if order == "fresh" else set()
                await journal.retry(name, fresh=order == "fresh")
