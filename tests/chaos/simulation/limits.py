"""Limits in a part of the worlds, and what must hold of them at any moment."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from tests.chaos.simulation.processes import Process, ServiceProcess
from tests.chaos.simulation.programs import LIMITS
from tests.chaos.simulation.scheduler import Scheduler
from vertexkit.execution import SLEEP, WAIT
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite.journal import SqliteJournal

LIMITED_SHARE = 4
"""One of this number of seeds has limits."""
APP_PLACES = 2
"""The limit of the app, in half of these worlds."""


def settings_of(seed: int) -> dict[str, Any]:
    """Return the settings of a world with limits."""
    limited = has_limits(seed) and seed // LIMITED_SHARE % 2 == 0
    return {"fleet_concurrency": APP_PLACES} if limited else {}


def has_limits(seed: int) -> bool:
    """Return whether the blocks of a seed's world have limits."""
    return seed % LIMITED_SHARE == LIMITED_SHARE - 1


class LimitWatch:
    """Sees the starts and the handlers of a world, and finds violations of its limits.

    Args:
        scheduler: of the simulation.
        seed: of the world.
    """

    def __init__(self, scheduler: Scheduler, seed: int) -> None:
        self.wrongs: list[str] = []
        self.starts = 0
        """Number of starts that were seen."""
        self._scheduler = scheduler
        self._is_limited = has_limits(seed)
        self._places = settings_of(seed).get("fleet_concurrency")
        self._starts: dict[tuple[str, str | None], list[float]] = defaultdict(list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A context in which claims are seen."""
        claim = SqliteJournal.claim
        watch = self

        async def watched(journal: SqliteJournal, *arguments: Any, **options: Any) -> list[Lease]:
            began = watch._scheduler.now
            leases = await claim(journal, *arguments, **options)
            watch._claimed(leases, began)
            return leases

        with mock.patch.object(SqliteJournal, "claim", watched):
            yield

    def _claimed(self, leases: Iterable[Lease], at: float) -> None:
        """Note the starts among the claimed executions; a resumed one is not a start."""
        for lease in leases:
            kinds = [effect.kind for effect in lease.effects.values()]
            may_resume = any(kind == SLEEP or kind.startswith(WAIT) for kind in kinds)
            if self._is_limited and lease.result is None and not lease.overdue and not may_resume:
                self._started(lease.execution.block, lease.execution.limit_key, at)

    def _started(self, block: str, key: str | None, at: float) -> None:
        self.starts += 1
        if (rate := LIMITS[block].rate) is None:
            return
        starts = self._starts[block, key]
        starts.append(at)
        recent = [start for start in starts if start > at - rate.seconds]
        if len(recent) > rate.number:
            self.wrongs.append(f"I16: {len(recent)} runs of {block} have started within {rate}")

    def power_lost(self) -> None:
        """What was not on the disk is forgotten."""
        self._starts.clear()

    def check_running(self, processes: Iterable[Process]) -> None:
        """I16: no more handlers run than places exist, in all processes together.

        A handler that has completed its block has given its place back.
        """
        running: Counter[tuple[str, str | None]] = Counter()
        for process in processes:
            service = process.service if isinstance(process, ServiceProcess) else None
            for task in service.dispatcher._executions.values() if service is not None else ():
                if task._attempt is not None and not task._attempt._completed:
                    running[task.lease.execution.block, task.lease.execution.limit_key] += 1
        for (block, key), number in running.items():
            places = LIMITS[block].running if self._is_limited else None
            if places is not None and number > places:
                self.wrongs.append(f"I16: {number} handlers of {block} {key} run, {places} may")
        if self._places is not None and running.total() > self._places:
            self.wrongs.append(f"I16: {running.total()} handlers run, {self._places} may")
