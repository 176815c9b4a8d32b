"""One simulated run of the shipped code: everything in it follows from its seed."""

import asyncio
import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

import structlog

from tests.chaos.invariants import check
from tests.chaos.limits import Limits, Stop, bounded, clean_stop
from tests.chaos.memories import Recalled, RememberedNumbers, none_lost
from tests.chaos.observed import Observed
from tests.chaos.simulation.attacks import Attacks
from tests.chaos.simulation.callers import Callers
from tests.chaos.simulation.deployment import WORKERS, Deployment, SqliteStorage
from tests.chaos.simulation.disk import Disk
from tests.chaos.simulation.judges import at_any_moment, hanging, stale
from tests.chaos.simulation.limits import LimitWatch, has_limits, settings_of
from tests.chaos.simulation.network import Network
from tests.chaos.simulation.processes import Process, ServiceProcess
from tests.chaos.simulation.programs import BLOCKS, POLICIES, PROGRAMS
from tests.chaos.simulation.scheduler import EPOCH, Scheduler, SimulationStuck
from tests.chaos.waits import ReadEvent
from vertexkit.botone import retries
from vertexkit.errors import JournalUnavailable
from vertexkit.ingress import inbox
from vertexkit.journal.protocol import Query
from vertexkit.journal.sqlite import writer
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.ledger import Entry

FAST = Path("/dev/shm")
"""A folder in memory: files are there for SQLite's own rules, and their speed does not matter."""
LIMIT = 6000.0
"""Seconds of the simulation after which it counts as stuck."""
QUIET = 2000.0
"""Seconds in which everything ends after the last attack."""
SPARE = 40.0
"""Seconds that a process may need to end, beside its grace period."""
TURNS_SECONDS = 0.1
"""Time for the callbacks that were about to run when a process got its signal."""
ALL = 1 << 30


@dataclass
class Run:
    """What a simulation has led to."""

    seed: int
    trace: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    executions: int = 0
    shared_commits: int = 0
    """Commits of more than one change."""
    turns: int = 0
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """A digest of the trace: equal for equal runs."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]


def simulate(seed: int) -> Run:
    """Run the simulation of a seed to its end."""
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=FAST if FAST.is_dir() else None))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        stack.enter_context(warnings.catch_warnings())
        # What killed processes had open or were about to await is closed at the end.
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        world = World(seed, folder)
        stack.enter_context(world.replaced())
        stack.callback(world.close)
        return world.run()


class World:
    """A machine with a service, a platform, bots, and what goes wrong.

    Args:
        seed: of everything.
        folder: an empty folder.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.result = Run(seed)
        self.random = Random(seed)
        self.scheduler = Scheduler(self._part())
        self.outside = self.scheduler.loop("outside")
        self.outside.set_exception_handler(self._failed)
        self.platform = FakePlatform(seed=seed, clock=self.scheduler.clock)
        self.platform.subscribe(self._note_entry)
        self.network = Network(self.scheduler, self._part(), self.outside, self.platform)
        self.disk = Disk(self.scheduler, self._part(), self.outside, folder)
        self.settings = self._settings()
        app = PROGRAMS[has_limits(seed)]
        app.witness = self
        self.limits = LimitWatch(self.scheduler, seed)
        self.storage = SqliteStorage(self.disk, self.scheduler.clock, self.settings)
        self.deployment = Deployment(
            self.network,
            self._part(),
            self.storage,
            self,
            app,
            self.settings,
            shared=self.random.random() < 0.5,
        )
        self.callers = Callers(
            self.scheduler,
            self._part(),
            self.platform,
            self.deployment.serving,
            self.note,
            unique=self._unique,
        )
        self.attacks = Attacks(
            self.scheduler,
            self._part(),
            self.network,
            self.disk,
            self.platform,
            self.deployment,
            self.note,
        )
        self._starts: list[tuple[str, int]] = []
        self._settled: list[str] = []
        self._reads: list[ReadEvent] = []
        self._remembered = RememberedNumbers()
        self._waited: list[tuple[str, int]] = []
        self._steps: dict[tuple[str, str], int] = {}
        self._draining: dict[str, float] = {}
        self._ids, self._performed = count(1), count(1)

    def _part(self) -> Random:
        """Return random numbers for one part: a change of one part does not change all others."""
        return Random(self.random.randrange(1 << 60))

    @property
    def _unique(self) -> bool:
        return self.settings.journal.tokens == "unique"

    def _settings(self) -> Settings:
        random = self.random
        return Settings.of(
            platform_url="https://demo.bot.one/api",
            tokens=random.choice(("reused", "reused", "unique")),
            queue=random.choice((3, 10, 1000)),
            concurrency=random.choice((1, 3, 100)),
            connections=random.choice((1, 3, 100)),
            timeout=random.choice((5.0, 30.0)),
            cleanup=random.choice((0.2, 2.0)),
            grace=random.choice((0.0, 2.0, 10.0)),
            complete_patience=random.choice((10.0, 600.0)),
            attempts=8,
            **settings_of(self.result.seed),
        )

    # What the code takes from the machine

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """A context in which everything random comes from the seed."""
        config = structlog.get_config() if structlog.is_configured() else None
        structlog.configure(
            processors=[self._log],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            cache_logger_on_first_use=False,
        )
        random = self._part()
        ids = lambda: f"{next(self._ids):012x}{random.randrange(1 << 40):010x}"  # noqa: E731
        try:
            with (
                mock.patch.object(writer, "_commit", self.disk.commit),
                mock.patch.object(retries, "random", SimpleNamespace(random=random.random)),
                mock.patch.object(inbox, "new_execution_id", ids),
                self.limits.watching(),
            ):
                yield
        finally:
            structlog.reset_defaults()
            if config is not None:
                structlog.configure(**config)

    def _log(self, _: Any, level: str, event: Any) -> Any:
        name = event.pop("event")
        error = event.pop("exc_info", None)
        fields = " ".join(f"{key}={value}" for key, value in event.items())
        self.note(f"log {level}: {name} {fields}{f' {error!r}' if error else ''}")
        if name in {"execution_crashed", "background_task_failed", "journal_request_failed"}:
            self.result.wrongs.append(f"{name}: {fields} {error!r}")
        raise structlog.DropEvent

    def _failed(self, _: Any, context: dict[str, Any]) -> None:
        """The simulation itself has a bug."""
        self._report([f"the simulation failed: {context.get('exception')!r} in {context}"])

    # What is observed

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        self.result.trace.append(f"{self.scheduler.now:14.6f} {line}")
        self.attacks.something_happened()

    def _note_entry(self, entry: Entry) -> None:
        done = "processed" if entry.processed else "not processed"
        fault = f", fault: {entry.fault}" if entry.fault else ""
        content = entry.json or {}
        text = content.get("text") or content.get("data")
        self.callers.request_ended(entry)
        self.note(
            f"platform: {entry.number} {entry.method} {text!r}: {entry.status}, {done}{fault}"
        )

    def event(self, process: Process, event: Event) -> None:
        self.note(f"{process.name}: {event.name} {event.execution}")
        self._check_running(process)
        if not self.attacks.froze:  # a frozen process loses its places, and does not know it
            self.limits.check_running(self.deployment.processes)
        self._report(self.limits.wrongs)
        if event.name == "settled":
            self._settled.append(event.execution)

    def started(self, execution: str, attempt: int) -> None:
        self._starts.append((execution, attempt))
        self.note(f"handler: run {attempt} of {execution} has started")

    def performed(self) -> int:
        return next(self._performed)

    def used(self, execution: str, step: str, value: int) -> None:
        known = self._steps.setdefault((execution, step), value)
        if known != value and execution not in self.attacks.afresh:
            self.result.wrongs.append(
                f"step {step} of {execution} gave {value}; an earlier run has used {known}"
            )

    def waits(self, execution: str, attempt: int) -> None:
        self._waited.append((execution, attempt))

    def read(self, execution: str, name: str, number: int | None) -> None:
        self._reads.append(ReadEvent(execution, name, number))
        self.note(f"handler: {name} of {execution} was {number}")

    def recalled(self, found: Recalled) -> None:
        self._remembered.read(found)

    def remembered(self, execution: str, number: int) -> None:
        self._remembered.write(execution, number)

    def draining(self, process: Process) -> None:
        self._draining[process.name] = self.scheduler.now
        self.note(f"{process.name}: draining")

    def ended(self, process: Process) -> None:
        """Judge what a process leaves that had the journal open."""
        self.note(f"{process.name}: has ended after {process.loop.turns} turns")
        if not self.deployment.opens_journal(process):
            return
        lost = self.deployment.take_power_loss()
        self.storage.owner_died(power_lost=lost)
        if lost:  # a claim, a step's value and an outcome may be lost
            self._starts.clear()
            self._settled.clear()
            self._steps.clear()
            self._reads.clear()
            self._waited.clear()
            self.limits.power_lost()
            self._remembered.clear()
        seen = self._observed()
        wrongs = at_any_moment(seen, EPOCH + self.scheduler.now)
        wrongs += bounded(seen, self._limits())
        wrongs += none_lost(self._remembered, self.storage.memories(), seen.forgotten | seen.afresh)
        asked = self._draining.get(process.name)
        was_stopped = asked is not None and process.loop.frozen_until > asked
        if asked is not None and not was_stopped and not self.deployment.shared:
            handlers = self.settings.handlers
            now = EPOCH + self.scheduler.now
            began = EPOCH + asked + TURNS_SECONDS
            wrongs += clean_stop(seen, Stop(began, now, handlers.grace, SPARE))
        self._report(wrongs)

    def _report(self, wrongs: list[str]) -> None:
        for wrong in wrongs:
            if wrong not in self.result.wrongs:
                self.note(f"WRONG: {wrong}")
                self.result.wrongs.append(wrong)

    def _limits(self) -> Limits:
        """Return the limits for what a dead process leaves; `_check_running` has the others.

        An execution that was running when an earlier process died may still be so in the file.
        """
        running = self.settings.handlers.concurrency * WORKERS
        return Limits(ALL, self.settings.journal.queue + running, {})

    def _check_running(self, process: Process) -> None:
        """I10, while a process is alive: no more handlers run than is allowed."""
        service = process.service if isinstance(process, ServiceProcess) else None
        if service is None:
            return
        running, limit = service.dispatcher.running, self.settings.handlers.concurrency
        number = sum(running.values())
        if number > limit or any(
            running[name] > (options.get("concurrency") or limit)
            for name, options in BLOCKS.items()
        ):
            self._report([f"I10: {number} handlers run in {process.name}, {limit} may: {running}"])

    def _observed(self) -> Observed:
        calls = tuple(self.callers.calls)
        return Observed(
            calls,
            tuple(self.platform.ledger),
            self.storage.records(),
            policies=POLICIES,
            starts=tuple(self._starts),
            waited=tuple(self._waited),
            settled=tuple(self._settled),
            forgotten=frozenset(self.attacks.forgotten),
            afresh=frozenset(self.attacks.afresh),
            unique_tokens=self._unique,
            events=tuple(self.callers.senders.sent),
            reads=tuple(self._reads),
        )

    # The run

    def run(self) -> Run:
        """Run to the end; the result has the violations."""
        result = self.result
        story = self.outside.create_task(self._story())
        try:
            self.scheduler.run(story.done, LIMIT)
            story.result()
        except SimulationStuck as error:
            result.wrongs.append(f"I2: {error}")
        except Exception as error:  # noqa: BLE001 - a file that cannot be read, for example
            cause = f" ({error.__cause__!r})" if error.__cause__ else ""
            result.wrongs.append(f"the run has ended: {type(error).__name__}: {error}{cause}")
        if not result.wrongs:
            seen = self._observed()
            self._report(
                [
                    *check(seen),
                    *([] if self.attacks.froze else stale(seen, self.callers.answered)),
                    *hanging(seen, self.platform, self.callers.answered),
                ]
            )
        result.executions = len(self.storage.records())
        result.shared_commits = sum(changes > 1 for changes in self.disk.groups)
        result.turns, result.seconds = self.scheduler.turns, self.scheduler.now
        return result

    async def _story(self) -> None:
        random, seconds = self.random, self.random.choice((2.0, 20.0, 60.0))
        self.deployment.start()
        await asyncio.gather(
            self.callers.run(random.randint(2, 9), seconds),
            self.attacks.run(random.randint(1, 12), seconds),
        )
        self.note("no further attack")
        end = self.scheduler.now + QUIET
        while self.scheduler.now < end and await self._is_busy():  # noqa: ASYNC110 - it asks
            await asyncio.sleep(5.0)
        await self.deployment.stop()

    async def _is_busy(self) -> bool:
        """Return whether some execution has no outcome."""
        journal, owner = self.deployment.journal(), self.deployment.owner
        now, processes = self.scheduler.now, self.deployment.processes
        if journal is None or owner is None or any(p.loop.frozen_until > now for p in processes):
            return True
        try:
            records = await asyncio.shield(owner.ask(lambda: journal.search(Query(limit=ALL))))
        except (asyncio.CancelledError, JournalUnavailable):
            return True
        return any(record.outcome is None for record in records)

    def close(self) -> None:
        """Free all resources."""
        trace = list(self.result.trace)
        self.scheduler.close()
        self.result.trace[:] = trace  # what dead processes still log counts for nothing
        self.disk.close()
