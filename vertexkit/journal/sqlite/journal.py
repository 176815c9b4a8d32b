"""The journal of one machine: an SQLite file, and the rules in memory."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, OperationNotAllowed
from vertexkit.execution import Effect, Execution, Outcome, Phase, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Acceptance, Lease, Query, Record, Renewal
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.file import open_file, path_in
from vertexkit.journal.sqlite.queries import read_call, read_ended, read_one, read_over, read_rows
from vertexkit.journal.sqlite.retention import Retention
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.duplicates import DUPLICATE_FOR
from vertexkit.journal.state.operations import DROPPED, why_not_dropped, why_not_retried
from vertexkit.journal.state.row import SEND, Row, keeps_secrets
from vertexkit.journal.state.state import JournalState
from vertexkit.settings import JournalSettings

HELD = 4096
"""Bytes of a call's body up to which it is held in mind while it waits; larger ones are read
from the file again when they are claimed, so that a long queue does not fill the memory."""


class SqliteJournal:
    """Keeps executions in a file that this process alone has open.

    What is under way is also in memory, where the rules are applied (`JournalState`); the file is written
    after, and whoever asked is answered when it is. A process that dies leaves the file; the next
    one reads from it what was under way.

    Args:
        path: of the file; made with its folder if it is not there.
        clock: for leases and for what is to run again later.
        settings: of journals.
    """

    durable = True

    def __init__(
        self,
        path: Path,
        clock: Clock,
        settings: JournalSettings,
    ) -> None:
        self.durability = (
            f"sqlite: keeps every accepted execution in {path}; the death of this process, or of "
            "the machine, ends none of them"
        )
        self.on_commit: Callable[[int, float], None] = lambda *_: None
        """As `Writer.on_commit`."""
        self._path = path
        self._clock = clock
        self._settings = settings
        self._state = JournalState(clock, settings)
        self._writer: Writer
        self._next = 1
        self._retention: Retention
        self._opened = False

    async def open(
        self, ready: Callable[[], None], broke: Callable[[str], None] = lambda _: None
    ) -> None:
        self._writer = Writer(await asyncio.to_thread(open_file, self._path), broke)
        self._writer.on_commit = self.on_commit
        now = self._clock.unix()
        if self._settings.unique_tokens:
            for key, execution, ended_at in await self._writer.ask(
                lambda connection: read_over(connection, now - DUPLICATE_FOR)
            ):
                self._state.calls.remember(key, execution, ended_at + DUPLICATE_FOR - now)
        for row in await self._writer.ask(lambda c: read_rows(c, "phase <> 'settled'")):
            due_in = min((row.due_at or now) - now, row.due_in or 0.0)
            self._state.restore(row, due_in)
        [[newest]] = await self._writer.ask(
            lambda c: c.execute("SELECT coalesce(max(number), 0) FROM executions").fetchall()
        )
        self._next = newest + 1
        self._state.open(ready)
        self._retention = Retention(self._writer, self._clock, self._settings)
        self._opened = True
        ready()

    async def close(self) -> None:
        if self._opened:
            self._opened = False
            self._retention.stop()
            self._state.close()
            await self._writer.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        key = execution.key
        same = self._state.calls.same(key)
        if same is not None:
            return await self._duplicate(same)
        row = self._state.enter(execution, key, room)
        try:
            claims = execution.token.claims
            row.arriving = True
            row.dialog = None if claims is None else claims.dialog_id
            row.number, self._next = self._next, self._next + 1
            supersedes = None if row.follows is None else row.follows.execution.id
            values = schema.accepting(row)
        except JournalUnavailable:
            self._state.strike(row)
            raise

        def arrived(kept: bool) -> None:
            if not kept:
                self._state.strike(row)
                return
            if len(execution.raw) > HELD:
                row.execution = replace(execution, inputs={}, raw=b"")
                row.elsewhere = True
            self._state.keep(row)

        await self._writer.write(schema.ACCEPT, values, power=True, optional=True, after=arrived)
        return Acceptance(execution.id, new=True, supersedes=supersedes)

    async def _duplicate(self, same: Row | str) -> Acceptance:
        if isinstance(same, str):
            return Acceptance(same, new=False)
        if same.arriving:
            await self._writer.write(schema.MARK, (), power=True, optional=True)
            if self._state.find(same.execution.id) is None and same.arriving:
                raise JournalUnavailable("the call that this one repeats could not be kept")
        return Acceptance(same.execution.id, new=False)

    async def claim(
        self, worker: str, room: Mapping[str, int], limit: int, *, early: bool = False
    ) -> list[Lease]:
        rows = self._state.claim(worker, room, limit, early=early)
        if not rows:
            return []
        written: asyncio.Future[None]
        leases = [row.lease() for row in rows]
        for row in rows:
            if row.trail:
                self._writer.write(schema.TRAIL, (schema.trail(row), row.number))
            written = self._writer.write(schema.CLAIM, schema.claiming(row))
        await written  # writes are committed in order: it is the last of them
        return [
            await self._whole(lease, row) if row.elsewhere else lease
            for row, lease in zip(rows, leases, strict=True)
        ]

    async def _whole(self, lease: Lease, row: Row) -> Lease:
        execution = await self._writer.ask(lambda connection: read_call(connection, row))
        return replace(lease, execution=replace(execution, trace=lease.execution.trace))

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        return self._state.renew(worker, executions)

    def release_worker(self, worker: str) -> None:
        self._state.release_worker(worker)

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        row, effect = self._state.affect(lease, effect)
        await self._writer.write(schema.EFFECT, schema.affecting(row, effect), power=True)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        row, effect = self._state.affect(lease, effect)
        written = self._writer.write(schema.EFFECT, schema.affecting(row, effect))
        if effect.kind != SEND:  # a step's result may be used at once, outside of vertexkit
            await written

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        row = self._state.record_result(lease, result, completing=completing)
        await self._writer.write(schema.CONCLUDE, schema.concluding(row, result), power=True)

    async def begin_completion(self, lease: Lease) -> bool:
        first = not self._state.owned(lease).completion_tried
        row = self._state.begin_completion(lease)
        if row is None:
            return False
        await self._writer.write(schema.TRY, schema.trying(row), power=first)
        return True

    async def withdraw_completion(self, lease: Lease) -> None:
        row = self._state.withdraw_completion(lease)
        await self._writer.write(schema.TRY, schema.trying(row))

    async def release(self, lease: Lease, after: float, why: str = "") -> None:
        row = self._state.release(lease, after, why)
        due = None if after <= 0 else self._clock.unix() + after
        await self._writer.write(schema.RELEASE, (due, after, schema.trail(row), row.number))

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        await self._end(self._state.settle(lease), outcome)

    async def _end(self, row: Row, outcome: Outcome) -> None:
        values = schema.settling(row, outcome)
        if keeps_secrets(outcome):
            await self._writer.write(schema.PARK, values)
            return
        if any(effect.kind != SEND for effect in row.effects.values()):
            self._writer.write(schema.ERASE_STEPS, (row.number,))
        await self._writer.write(schema.SETTLE, values)
        self._retention.count()

    def backlog(self) -> int:
        return self._state.backlog()

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return self._state.unserved_blocks(blocks)

    def unavailable_reason(self) -> str:
        return self._writer.trouble

    async def find(self, execution: str) -> Record | None:
        row = self._state.find(execution)
        if row is not None:
            return None if row.arriving else row.record()
        return await self._writer.ask(lambda connection: read_one(connection, execution))

    async def search(self, query: Query) -> list[Record]:
        found = [row.record() for row in self._state.search(query)]
        if query.phase in (None, Phase.SETTLED):
            found += await self._writer.ask(lambda connection: read_ended(connection, query))
        found.sort(key=lambda record: record.accepted_at, reverse=True)
        return found[: query.limit]

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        record = await self.find(execution)
        if record is None or not record.kept or record.outcome is None:
            raise OperationNotAllowed(why_not_retried(execution, record))
        [row] = await self._writer.ask(lambda c: read_rows(c, "id = ?", execution))
        self._state.revive(row, fresh=fresh)
        if fresh:
            self._writer.write(schema.FORGET_EFFECTS, (row.number,))
        for effect in row.effects.values():
            self._writer.write(schema.EFFECT, schema.affecting(row, effect))
        result = row.result and row.result.data
        values = (row.completion_tried, result, schema.trail(row), row.number)
        await self._writer.write(schema.REVIVE, values, power=True)
        return row.record()

    async def drop(self, execution: str) -> Record:
        if self._state.find(execution) is None:
            record = await self.find(execution)
            if record is None or not record.kept:
                raise OperationNotAllowed(why_not_dropped(execution, record))
            [row] = await self._writer.ask(lambda c: read_rows(c, "id = ?", execution))
            self._writer.write(schema.FORGET_EFFECTS, (row.number,))
            await self._writer.write(schema.FORGET, (row.number,), power=True)
            return record
        result = Failure("dropped").result()
        row, ended = self._state.drop(execution, result)
        if ended:
            await self._end(row, DROPPED)
            return row.ended(DROPPED)
        values = (result.data, result.code, row.concluded_at, schema.trail(row), row.number)
        await self._writer.write(schema.FIX, values, power=True)
        return row.record()


def make(place: str, clock: Clock, settings: JournalSettings) -> SqliteJournal:
    """For `sqlite:PATH`, also written as `sqlite:///PATH`.

    Raises:
        SettingsError: there is no path.
    """
    return SqliteJournal(path_in(place), clock, settings)
