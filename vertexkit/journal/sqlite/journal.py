"""The journal of one machine: an SQLite file, with the rules applied in memory."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, JournalUnusable
from vertexkit.execution import SEND, Effect, Execution, Outcome, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed, journal_keys, require_newest
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.protocol import (
    Acceptance,
    Access,
    JournalObserver,
    Lease,
    Query,
    Record,
    Renewal,
    WorkerRecord,
)
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.dialog_memory import MemoryTable
from vertexkit.journal.sqlite.endings import Endings
from vertexkit.journal.sqlite.events import end_wait, store_event
from vertexkit.journal.sqlite.file import check_file
from vertexkit.journal.sqlite.loading import load
from vertexkit.journal.sqlite.operators import Operators
from vertexkit.journal.sqlite.path import path_in
from vertexkit.journal.sqlite.queries import read_block, read_call, read_token
from vertexkit.journal.sqlite.retention import Retention
from vertexkit.journal.sqlite.thread import JobThread, MakeJobRunner
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS
from vertexkit.journal.state.operations import find_workers
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.state import JournalState
from vertexkit.journal.state.storable import encode_inputs, storable_execution
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor

MAX_BODY_BYTES_IN_MEMORY = 4096
"""Largest body of a call that stays in memory while the execution waits. Larger ones are read from
the file when the execution is claimed, so that a long queue does not fill the memory."""


class SqliteJournal:
    """Keeps executions in a file that only this process has open.

    Executions that have not ended are also in memory, where the rules are applied
    (`JournalState`). A method changes the state first, then the file, and returns when the file is
    written. After a crash the next process reads the unfinished executions from the file.

    Args:
        path: of the file; it and its folder are created if they do not exist.
        clock: for leases and scheduled executions.
        settings: of the journal.
        make_runner: makes what runs the jobs that wait for the disk; by default a thread.
    """

    durable = True
    access = Access.SOCKET

    def __init__(
        self,
        path: Path,
        clock: Clock,
        settings: JournalSettings,
        make_runner: MakeJobRunner = JobThread,
    ) -> None:
        self.durability: str = (
            f"sqlite: every accepted execution is stored in {path} and survives the death of the "
            "process and the loss of power"
        )
        self.file = path
        self._clock = clock
        self._settings = settings
        self._make_runner = make_runner
        self._state = JournalState(clock, settings)
        self._observer: JournalObserver
        self._writer: Writer
        self._endings: Endings
        self._operators: Operators
        self._memories: MemoryTable
        self._next_number = 1
        self._age: JournalAge
        self._retention: Retention
        self._opened = False

    def check(self) -> str:
        return check_file(self.file, journal_keys(self._settings))

    async def migrate(self) -> str:
        return "an sqlite: journal has nothing to migrate: its file is created at the first start"

    async def open(self, observer: JournalObserver) -> None:
        unique = self._state.duplicates.unique
        keys = journal_keys(self._settings)
        loaded = await asyncio.to_thread(load, self.file, self._clock, unique, keys)
        self._age, now = loaded.age, self._clock.unix()
        for key, execution, ended_age in loaded.tokens:
            remembered = ended_age + DUPLICATE_SECONDS - self._age.now()
            self._state.duplicates.remember(key, execution, remembered)
        for row in loaded.rows:
            due_in = min((row.due_at or now) - now, row.due_in or 0.0)
            self._state.restore(row, due_in)
        for start in loaded.starts:
            self._state.queues.add_start(*start)
        self._next_number = 1 + loaded.last_number
        self._observer = observer
        self._state.open(observer)
        self._writer = Writer(loaded.connection, self.file, observer, self._make_runner)
        self._memories = MemoryTable(
            self._writer, self._state, self._clock, self._age, self._settings.memory_retention
        )
        self._retention = Retention(
            self._writer,
            self._clock,
            self._age,
            self._settings,
            Supervisor(observer.lost),
            self._memories.delete_expired,
        )
        self._endings = Endings(
            self._writer, self._age, unique=unique, count_ended=self._retention.count_ended
        )
        self._operators = Operators(self._writer, self._state, self._endings, self._memories)
        self._opened = True
        observer.ready()

    async def close(self) -> None:
        if self._opened:
            self._opened = False
            await self._retention.stop()
            self._state.close()
            await self._writer.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        key = self._writer.cipher.fingerprint(storable_execution(execution).key)
        inputs = encode_inputs(execution)
        duplicated = self._state.duplicates.find(key)
        if duplicated is None and self._state.duplicates.is_incomplete:
            duplicated = await self._find_ended(key)
        if duplicated is not None:
            return await self._accept_duplicate(duplicated)
        row = self._state.add(execution, key, room)
        row.number, self._next_number = self._next_number, self._next_number + 1
        supersedes = None if row.follows is None else row.follows.execution.id
        values = schema.accept_values(row, inputs, self._writer.cipher)

        def finish(written: bool) -> None:
            if not written:
                self._state.discard(row)
                return
            if len(execution.raw) > MAX_BODY_BYTES_IN_MEMORY:
                self._leave_call_on_disk(row)
            self._state.confirm(row)

        await self._writer.write(
            schema.ACCEPT, values, power=True, optional=True, after=finish, number=row.number
        )
        return Acceptance(execution.id, new=True, supersedes=supersedes)

    async def _find_ended(self, key: bytes) -> ExecutionRow | str | None:
        """Look for a unique token in the file, as there was no room for all in memory."""
        since = self._age.now() - DUPLICATE_SECONDS
        ended = await self._writer.run(lambda connection: read_token(connection, key, since))
        return self._state.duplicates.find(key) or ended  # the call may have come twice meanwhile

    async def _accept_duplicate(self, duplicated: ExecutionRow | str) -> Acceptance:
        if isinstance(duplicated, str):
            return Acceptance(duplicated, new=False)
        if duplicated.pending:  # it may still fail: wait until it is written
            await self._writer.write(schema.NO_CHANGE, (), power=True, optional=True)
            if self._state.find(duplicated.execution.id) is None and duplicated.pending:
                raise JournalUnavailable("the call that this one repeats could not be stored")
        return Acceptance(duplicated.execution.id, new=False)

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        rows = self._state.claim(worker, room, limit, early=early, limits=limits)
        if not rows:
            return []
        written: list[asyncio.Future[None]] = []
        leases = [row.lease() for row in rows]
        on_disk = [row for row in rows if row.body_on_disk]
        for row in rows:
            if row.history:
                self._writer.write(
                    schema.RECORD_HISTORY,
                    (schema.history_value(row, self._writer.cipher), row.number),
                )
            if (seconds := row.start_counts_for) is not None:
                start = schema.start_values(row, seconds, self._clock.unix())
                self._writer.write(schema.RECORD_START, start)
            written.append(self._writer.write(schema.CLAIM, schema.claim_values(row)))
        await written[-1]  # writes are committed in order: it is the last of them
        leases = [lease for lease in leases if self._state.find(lease.execution.id) is not None]
        return await self._with_calls(leases, on_disk) if on_disk else leases

    async def _with_calls(self, leases: list[Lease], on_disk: list[ExecutionRow]) -> list[Lease]:
        """Return the leases with the calls that are not in memory, read in one job."""
        try:
            calls = await self._writer.run(
                lambda connection: {row.execution.id: read_call(connection, row) for row in on_disk}
            )
        except JournalUnusable as error:  # a call was changed: the file cannot be trusted
            self._observer.lost(str(error))
            raise
        return [
            replace(lease, execution=replace(calls[id_], trace=lease.execution.trace))
            if (id_ := lease.execution.id) in calls
            else lease
            for lease in leases
        ]

    @staticmethod
    def _leave_call_on_disk(row: ExecutionRow) -> None:
        row.execution = replace(row.execution, inputs={}, raw=b"")
        row.body_on_disk = True

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        return self._state.renew(worker, executions)

    def release_worker(self, worker: str) -> None:
        self._state.release_worker(worker)

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        row, effect = self._state.record_effect(lease, effect)
        await self._writer.write(
            schema.RECORD_EFFECT, schema.effect_values(row, effect, self._writer.cipher), power=True
        )

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        row, effect = self._state.record_effect(lease, effect)
        written = self._writer.write(
            schema.RECORD_EFFECT, schema.effect_values(row, effect, self._writer.cipher)
        )
        if effect.kind != SEND:  # a step's value may be used at once, outside of vertexkit
            await written

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        row, result = self._state.record_result(lease, result, completing=completing)
        await self._writer.write(
            schema.RECORD_RESULT, schema.result_values(row, result, self._writer.cipher), power=True
        )

    async def begin_completion(self, lease: Lease) -> bool:
        first = not self._state.leased(lease).may_be_completed()
        row = self._state.begin_completion(lease)
        if row is None:
            return False
        await self._writer.write(
            schema.RECORD_COMPLETION_TRY, schema.completion_try_values(row), power=first
        )
        return True

    async def withdraw_completion(self, lease: Lease) -> None:
        row = self._state.withdraw_completion(lease)
        await self._writer.write(schema.RECORD_COMPLETION_TRY, schema.completion_try_values(row))

    async def refuse_completion(self, lease: Lease) -> None:
        row = self._state.leased(lease)
        row.note_refused_completions()
        await self._writer.write(schema.RECORD_COMPLETION_TRY, schema.completion_try_values(row))

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        row = self._state.release(lease, after, reason)
        due = None if after <= 0 else self._clock.unix() + after
        await self._writer.write(
            schema.RELEASE, (due, after, schema.history_value(row, self._writer.cipher), row.number)
        )

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        row = self._state.suspend(lease, seconds, ran)
        self._leave_call_on_disk(row)
        due = self._clock.unix() + seconds
        await self._writer.write(schema.SUSPEND, (due, seconds, row.ran, row.number))

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        delivery, row = self._state.add_event(execution, name, data)
        if row is None:
            ended = await self._find_ended_block(execution) is not None
            return Delivery.ENDED if ended else Delivery.UNKNOWN
        return await store_event(self._writer, self._state, row, name, delivery)

    async def event_target(self, execution: str) -> EventTarget | None:
        row = self._state.find(execution)
        if row is not None:
            return None if row.pending else row.event_target()
        block = await self._find_ended_block(execution)
        return None if block is None else EventTarget(block, b"", ended=True)

    async def _find_ended_block(self, execution: str) -> str | None:
        return await self._writer.run(lambda connection: read_block(connection, execution))

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        return await end_wait(self._writer, self._state, lease, effect)

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        return await self._memories.read(key)

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        return await self._memories.write(lease, effect, key, memory)

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        await self._endings.end(*self._state.settle(lease, outcome))

    def backlog(self) -> int:
        return self._state.backlog()

    def may_have_claimable(self) -> bool:
        return self._state.queues.has_waiting()

    def suspended(self) -> int:
        return self._state.suspended()

    def waiting_for_limits(self) -> Mapping[str, int]:
        return self._state.queues.waiting_for_limits()

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return self._state.unserved_blocks(blocks)

    def unavailable_reason(self) -> str:
        return self._writer.error

    async def find(self, execution: str) -> Record | None:
        return await self._operators.find(execution)

    async def search(self, query: Query) -> list[Record]:
        return await self._operators.search(query)

    async def workers(self) -> list[WorkerRecord]:
        return await find_workers(self.search)

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        return await self._operators.retry(execution, fresh=fresh)

    async def drop(self, execution: str) -> Record:
        return await self._operators.drop(execution)

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        return await self._memories.records(dialog)

    async def forget(self, dialog: int) -> Forgotten:
        return await self._operators.forget(dialog)

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        return await self._operators.stored_inputs(execution)

    async def rekey(self, key: str, after: str) -> Rekeyed:
        keys = require_newest(journal_keys(self._settings), key)
        return await self._operators.rekey(keys, after)


def make(place: str, clock: Clock, settings: JournalSettings) -> SqliteJournal:
    """Make the journal of `sqlite:PATH`, also written as `sqlite:///PATH`.

    Raises:
        SettingsError: there is no path.
    """
    return SqliteJournal(path_in(place), clock, settings)
