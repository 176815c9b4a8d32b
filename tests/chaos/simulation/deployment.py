"""A deployment: the processes of a service on one machine, each of which is started again."""

import asyncio
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.simulation.disk import Disk
from tests.chaos.simulation.network import Network
from tests.chaos.simulation.processes import (
    HostProcess,
    MakeJournal,
    Process,
    ProcessObserver,
    ServiceProcess,
)
from vertexkit.app import App
from vertexkit.journal.protocol import JournalBackend, Record
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import Settings

WORKERS = 2
"""Worker processes that share a journal."""


class SqliteStorage:
    """The journal of a simulated machine: an SQLite file on its disk.

    Another kind of journal needs the same methods; see `Storage`.
    """

    def __init__(self, disk: Disk, clock: Any, settings: Settings) -> None:
        self._disk = disk
        self._clock = clock
        self._settings = settings

    def make(self, loop: Any) -> JournalBackend:
        """Make the journal of a process."""
        runner = self._disk.runner(loop)
        return _Opened(self._disk, self._disk.path, self._clock, self._settings.journal, runner)

    def owner_died(self, *, power_lost: bool) -> None:
        """The process that had the journal open is dead."""
        self._disk.release(power_lost=power_lost)

    def records(self) -> tuple[Record, ...]:
        """Read all executions, while no process has the journal open."""
        return self._disk.records()

    def memories(self) -> dict[int, dict[str, int]]:
        """Read the memories of all dialogs, by their numbers, while no process has the journal open."""
        return self._disk.memories()


class _Opened(SqliteJournal):
    """Informs the disk when it has been opened."""

    def __init__(self, disk: Disk, path: Path, *arguments: Any) -> None:
        super().__init__(path, *arguments)
        self._disk = disk

    async def open(self, observer: Any) -> None:
        await super().open(observer)
        self._disk.opened()


class Deployment:
    """Starts the processes, and starts each again that has ended.

    Args:
        network: of the simulation.
        random: of the seed.
        storage: of the machine.
        observer: learns what happens in the processes.
        app: what is served.
        settings: of every process.
        shared: two workers share the journal that a third process has open.
    """

    def __init__(
        self,
        network: Network,
        random: Random,
        storage: SqliteStorage,
        observer: ProcessObserver,
        app: App[Any],
        settings: Settings,
        *,
        shared: bool,
    ) -> None:
        self.shared = shared
        self.services: list[ServiceProcess] = []
        self.host: HostProcess | None = None
        self.stopping = False
        """No process is started any more."""
        self._network = network
        self._random = random
        self._storage = storage
        self._observer = observer
        self._app = app
        self._settings = settings
        self._numbers = count(1)
        self._keepers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start all processes; called outside of them."""
        keep = self._keep_workers if self.shared else self._keep_one
        self._keepers = [asyncio.ensure_future(keep())]

    @property
    def processes(self) -> list[Process]:
        """The processes that have not ended."""
        found: list[Process] = [process for process in self.services if process.alive]
        if self.host is not None and self.host.alive:
            found.append(self.host)
        return found

    @property
    def owner(self) -> Process | None:
        """The process that has the journal open, if it is alive."""
        processes = self.processes
        if self.shared:
            return self.host if self.host in processes else None
        return processes[0] if processes else None

    def opens_journal(self, process: Process) -> bool:
        """Return whether a process is of the kind that has the journal open."""
        return isinstance(process, HostProcess) is self.shared

    def journal(self) -> JournalBackend | None:
        """Return the owner's journal once it is open."""
        owner = self.owner
        journal = getattr(owner, "journal", None)
        return journal if isinstance(journal, SqliteJournal) else None

    def serving(self) -> list[ServiceProcess]:
        """Return the processes that accept connections."""
        return [process for process in self.services if process.serves]

    def lose_power(self) -> None:
        """Cut the power of the machine."""
        owner = self.owner
        for process in self.processes:
            if process is not owner:
                process.kill()
        self._lost_power = True
        if owner is not None:
            owner.kill()

    _lost_power = False

    def take_power_loss(self) -> bool:
        """Return whether the power was lost since the last call."""
        lost, self._lost_power = self._lost_power, False
        return lost

    def _service(self, make_journal: MakeJournal | None) -> ServiceProcess:
        process = ServiceProcess(
            self._network,
            f"w{next(self._numbers)}",
            self._observer,
            self._app,
            self._settings,
            make_journal,
        )
        self.services = [*(found for found in self.services if found.alive), process]
        return process

    async def _keep_one(self) -> None:
        while not self.stopping:
            await self._service(self._storage.make).over
            await self._pause()

    async def _keep_workers(self) -> None:
        while not self.stopping:
            self.host = host = HostProcess(
                self._network, f"h{next(self._numbers)}", self._observer, self._storage.make
            )
            await _first(host.listening, host.over)
            workers = [asyncio.ensure_future(self._keep_worker(host)) for _ in range(WORKERS)]
            await host.over
            await self._pause()
            for process in self.services:  # what is left does not outlive its host by much
                process.kill()
            await asyncio.gather(*workers)

    async def _keep_worker(self, host: HostProcess) -> None:
        while host.alive and not self.stopping:
            await self._service(None).over
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.choice((0.001, 0.1, 1.0)))

    async def stop(self) -> None:
        """Send SIGTERM to all, and wait for their end."""
        self.stopping = True
        for process in self.processes:
            if process is not self.host:
                process.terminate()
        await asyncio.gather(*(process.over for process in self.services))
        if self.host is not None and self.host.alive:
            self.host.terminate()
            await self.host.over
        await asyncio.gather(*self._keepers)


async def _first(*futures: "asyncio.Future[Any]") -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def finish(_: Any) -> None:
        if not done.done():
            done.set_result(None)

    for future in futures:
        future.add_done_callback(finish)
    await done
