"""The journal of many machines: a PostgreSQL database, which applies the rules."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg.pq.abc import PGresult

from vertexkit.clock import Clock, Timer
from vertexkit.errors import JournalError, JournalUnavailable, JournalUnusable
from vertexkit.execution import SEND, Effect, Execution, Outcome, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.encryption import seal_effect, seal_text
from vertexkit.journal.events import Delivery
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.postgres import acceptance, dialog_memory, leases
from vertexkit.journal.postgres.claims import Claims
from vertexkit.journal.postgres.database import Database
from vertexkit.journal.postgres.dialog_memory import READ_MEMORY, WRITE_MEMORY
from vertexkit.journal.postgres.monitor import POLL_SECONDS, Monitor
from vertexkit.journal.postgres.operators import OperatorRequests, Operators
from vertexkit.journal.postgres.statements import (
    BEGIN_COMPLETION,
    EFFECTS,
    EFFECTS_OF,
    END_TOKENS,
    ERASE_STEP_VALUES,
    EXPIRE_WORKER,
    POLL,
    RECORD_RESULT,
    REFUSE_COMPLETION,
    RELEASE,
    RENEW,
    SETTLE,
    SUSPEND,
    WITHDRAW_COMPLETION,
)
from vertexkit.journal.postgres.writer import Writer
from vertexkit.journal.protocol import Acceptance, Access, JournalObserver, Lease, Record, Renewal
from vertexkit.journal.state.row import keeps_secrets
from vertexkit.journal.state.storable import (
    storable_effect,
    storable_outcome,
    storable_result,
    storable_seconds,
    storable_text,
)
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor

CLOSE_SECONDS = 5.0
"""How long the end of a process waits for its last writes."""


class PostgresJournal(OperatorRequests):
    """Keeps executions in a database that any number of processes have open.

    The database is the authority: each rule is applied in the statement that changes a row. In
    memory are only counts, which are about a second old, and which leases this process was given.

    Args:
        database: that the journal is in.
        clock: of the process; times in the database are of the server's clock.
        settings: of the journal.
    """

    durable = True
    access = Access.ANY
    file: Path | None = None

    def __init__(self, database: Database, clock: Clock, settings: JournalSettings) -> None:
        self.durability: str = (
            f"postgresql: every accepted execution is stored in the database {database.name} and "
            "survives the death of any process and of the server"
        )
        self._database = database
        self._clock = clock
        self._settings = settings
        self._unique = settings.tokens == "unique"
        self._operators = Operators(database, self._ahead)
        self._observer: JournalObserver
        self._writer: Writer
        self._monitor: Monitor
        self._claims: Claims
        self._supervisor: Supervisor
        self._tasks: list[asyncio.Task[None]] = []
        self._blocks: Collection[str] = ()
        """The blocks of this process."""
        self._held: dict[str, int] = {}
        """Epochs of the leases that this process was given, by execution."""
        self._stepped: set[str] = set()
        """Executions that have values of steps."""
        self._timers: set[Timer] = set()
        self._counted_at = 0.0

    def _ahead(self) -> float:
        """Return what the clock is ahead of real time: zero outside of tests.

        The clock says it itself: between two readings of a time the process may be stopped, and
        leases would end too early by that.
        """
        return self._clock.skipped

    def check(self) -> str:
        return self._database.check()

    async def migrate(self) -> str:
        return await self._database.migrate()

    async def open(self, observer: JournalObserver) -> None:
        await self._database.prepare(unique=self._unique)
        self._observer = observer
        self._supervisor = Supervisor(observer.lost)
        self._writer = Writer(self._database.connect_writer, observer, self._ahead)
        self._monitor = Monitor(
            self._database.connect_listener, self._count, observer, self._ahead, self._settings
        )
        self._claims = Claims(
            self._writer, self._monitor, self._settings.lease, self._clock, self._notify_later
        )
        await self._database.first(self._writer.open())
        self._tasks = [self._supervisor.start("writing of the journal", self._writer.run())]
        await self._poll()
        self._tasks.append(self._supervisor.start("monitoring of the journal", self._monitor.run()))
        observer.ready()

    async def close(self) -> None:
        await self._operators.close()
        if not self._tasks:
            return
        writing, *others = self._tasks
        self._tasks = []
        for timer in self._timers:
            timer.cancel()
        seconds = 0.0 if self._writer.trouble else CLOSE_SECONDS
        with suppress(TimeoutError):  # executions continue from what is written
            async with asyncio.timeout(seconds):
                await self._claims.close(self._held)
                await self._monitor.wait_idle()
                self._supervisor.cancel(*others)
                await asyncio.gather(*others, return_exceptions=True)
                await self._writer.wait_idle()
                await self._monitor.close()
        self._supervisor.cancel(writing, *others)
        await asyncio.gather(writing, *others, return_exceptions=True)
        await self._writer.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        self._writer.check_room = 2 * self._monitor.backlog >= room - 1
        accepted = await acceptance.accept(
            self._writer, execution, room, self._database.cipher, unique=self._unique
        )
        if accepted.new:
            self._monitor.change_backlog(1)
            self._notify_ready()
        return accepted

    def _notify_ready(self) -> None:
        """An execution may be claimable, by this process or by another one."""
        self._observer.ready()
        self._monitor.announce()

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        worker = storable_text("the id of a worker", worker)
        self._monitor.serve(worker, self._blocks or room)
        if self._clock.now() - self._counted_at > 2 * POLL_SECONDS:
            await self._poll()
        claimed = await self._claims.claim(
            worker, room, limit, early=early, limits=limits, held=self._held
        )
        if not claimed.ntuples:
            return []
        try:
            held = await self._with_effects(claimed, worker)
        except BaseException as error:
            self._claims.lose(worker)
            if isinstance(error, JournalUnusable):  # a key is missing: this process can run nothing
                self._observer.lost(str(error))
            raise
        self._held.update((lease.execution.id, lease.epoch) for lease in held)
        self._monitor.change_backlog(-sum(lease.result is None for lease in held))
        return held

    async def _with_effects(self, found: PGresult, worker: str) -> list[Lease]:
        """Return the new leases with what earlier runs did."""
        claimed = leases.read_leases(found, worker, self._database.cipher)
        again = leases.claimed_again(found)
        if not again:
            return claimed
        effects = leases.read_effects(
            await self._writer.write(EFFECTS_OF, (again,)), self._database.cipher
        )
        self._stepped.update(effects)
        return leases.with_effects(claimed, effects)

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        asked = list(executions)
        epochs = [self._held.get(execution, 0) for execution in asked]
        values = (worker, self._settings.lease, asked, epochs, self._claims.has_limits)
        # The worker relies on the new end of its leases until then, without asking the server.
        renewed: PGresult = await self._writer.write(RENEW, values, power=True, optional=True)
        superseded = leases.read_flags(renewed)
        lost = frozenset(asked).difference(superseded)
        for execution in lost:
            self._forget(execution)
        return Renewal(lost, frozenset(name for name, flag in superseded.items() if flag))

    def release_worker(self, worker: str) -> None:
        self._writer.write(EXPIRE_WORKER, (worker,))

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        await self._write_effect(lease, storable_effect(effect), power=True)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        effect = storable_effect(effect)
        written = self._write_effect(lease, effect)
        # A step's value may be used at once, outside of vertexkit. The outcome of a message is
        # written before the next write of its lease, which notices if the lease is not valid.
        if effect.kind != SEND or self._held.get(lease.execution.id) != lease.epoch:
            await written

    def _write_effect(
        self, lease: Lease, effect: Effect, *, power: bool = False
    ) -> asyncio.Future[Any]:
        if effect.kind != SEND:
            self._stepped.add(lease.execution.id)
        digest, value = seal_effect(self._database.cipher, lease.execution.id, effect)
        values = (*_key(lease), effect.position, effect.kind, digest, effect.state, value)
        return self._writer.write(EFFECTS, values, power=power)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        result = storable_result(result)
        data = self._database.cipher.seal(f"result {lease.execution.id}", result.data)
        values = (*_key(lease), data, result.code, completing)
        if await self._writer.write(RECORD_RESULT, values, power=True):
            self._stepped.add(lease.execution.id)  # its events are to be erased
        if lease.result is None:
            self._monitor.change_backlog(1)
        if self._claims.has_limits:
            self._notify_ready()  # the place of its handler is free

    async def begin_completion(self, lease: Lease) -> bool:
        superseded: bool = await self._writer.write(BEGIN_COMPLETION, _key(lease), power=True)
        return not superseded

    async def withdraw_completion(self, lease: Lease) -> None:
        await self._writer.write(WITHDRAW_COMPLETION, _key(lease))

    async def refuse_completion(self, lease: Lease) -> None:
        await self._writer.write(REFUSE_COMPLETION, _key(lease))

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        after = max(0.0, storable_seconds("the time until the next run", after))
        reason = storable_text("the reason of a retry", reason)
        reason = seal_text(self._database.cipher, f"history {lease.execution.id}", reason)
        # If the server forgot it, the execution would count as crashed, and run before its time.
        await self._writer.write(RELEASE, (*_key(lease), after, reason), power=True)
        self._forget(lease.execution.id)
        self._monitor.change_backlog(1)
        if after > 0:
            self._notify_later(after)
        if after <= 0 or self._claims.has_limits:
            self._notify_ready()

    def _notify_later(self, seconds: float) -> None:
        def notify() -> None:
            self._timers.discard(timer)
            self._observer.ready()

        timer = self._clock.timer(seconds, notify)
        self._timers.add(timer)

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        seconds = max(0.0, storable_seconds("the time of a wait", seconds))
        ran = storable_seconds("the time of a run", ran)
        woken: bool = await self._writer.write(SUSPEND, (*_key(lease), seconds, ran), power=True)
        self._forget(lease.execution.id)
        if woken:
            self._monitor.change_backlog(1)
            self._notify_ready()
        else:
            self._monitor.change_suspended(1)
            self._notify_later(seconds)
            if self._claims.has_limits:
                self._notify_ready()

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        name = storable_text("the name of an event", name)
        # The command of an operator has no tasks. Elsewhere the monitor notifies, which is cheaper.
        notify = not self._tasks
        delivery, is_due = await self._operators.deliver_event(execution, name, data, notify=notify)
        if is_due and self._tasks:
            self._monitor.change_suspended(-1)
            self._monitor.change_backlog(1)
            self._notify_ready()
        return delivery

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        return await self._operators.end_wait(lease, storable_effect(effect))

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        values = dialog_memory.read_values(key, self._settings.memory_retention)
        found = await self._writer.write(READ_MEMORY, values)
        return dialog_memory.memory_of(found, key, self._database.cipher)

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        version, cipher = dialog_memory.new_version(), self._database.cipher
        values = dialog_memory.write_values(lease, effect, key, memory, version, cipher)
        written = await self._writer.write(WRITE_MEMORY, values, power=True)
        return version if dialog_memory.is_written(written, lease) else None

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        outcome = storable_outcome(outcome)
        kept = keeps_secrets(outcome)
        execution = lease.execution.id
        reason = seal_text(self._database.cipher, f"reason {execution}", outcome.reason)
        ending = (outcome.status, outcome.code, outcome.confirmed_by, reason)
        # Workers survive the death of the server: an outcome that it forgot would be reported twice.
        settled = self._writer.write(SETTLE, (*_key(lease), *ending, kept), power=True)
        if execution in self._stepped and not kept:
            self._writer.write(ERASE_STEP_VALUES, (execution,), power=True)
        if self._unique:
            self._writer.write(END_TOKENS, (execution,), power=True)
        superseded: bool = await settled
        self._forget(execution)
        self._monitor.change_backlog(-1)
        if superseded:
            self._notify_ready()

    def _forget(self, execution: str) -> None:
        self._held.pop(execution, None)
        self._stepped.discard(execution)

    def backlog(self) -> int:
        return self._monitor.backlog

    def may_have_claimable(self) -> bool:
        return True  # other processes accept calls too

    def suspended(self) -> int:
        return self._monitor.suspended

    def waiting_for_limits(self) -> Mapping[str, int]:
        return self._monitor.waiting_for_limits

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        self._blocks = blocks
        return self._monitor.unserved(blocks)

    def unavailable_reason(self) -> str:
        return self._writer.trouble

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        record = await self._operators.retry(execution, fresh=fresh)
        self._changed()
        return record

    async def drop(self, execution: str) -> Record:
        record = await self._operators.drop(execution)
        self._changed()
        return record

    def _changed(self) -> None:
        """An operator has changed an execution; other processes have been notified."""
        if self._tasks:
            self._observer.ready()

    async def _count(self) -> PGresult:
        result: PGresult = await self._writer.write(POLL, (), optional=True)
        self._counted_at = self._clock.now()
        return result

    async def _poll(self) -> None:
        try:
            await self._monitor.poll()
        except JournalUnavailable:
            return
        except JournalError as error:
            raise JournalUnavailable(str(error)) from error


def _key(lease: Lease) -> tuple[str, int, str]:
    """Return what identifies a lease in the database."""
    return lease.execution.id, lease.epoch, lease.worker
