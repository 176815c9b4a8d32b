"""What operators ask of the journal in a file: reading, retrying and dropping executions."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vertexkit.errors import OperationNotAllowed
from vertexkit.failure import Failure
from vertexkit.journal.dialog_memory import Forgotten
from vertexkit.journal.encryption import JournalKeys, Rekeyed
from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.deletion import checkpoint, empty_log
from vertexkit.journal.sqlite.dialog_memory import MemoryTable
from vertexkit.journal.sqlite.endings import Endings
from vertexkit.journal.sqlite.queries import read_inputs, read_rows, read_settled_one
from vertexkit.journal.sqlite.rekeying import rekey_part
from vertexkit.journal.sqlite.search import Part, read_part
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.operations import (
    ALL,
    DROPPED,
    may_be_settled,
    refuse_to_forget,
    why_not_dropped,
    why_not_retried,
)
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.state import JournalState

SEARCH_WINDOW = 1000
"""Unfinished executions that a search reads before others may run."""


class Operators:
    """Reads and changes executions for operators.

    Args:
        writer: of the file.
        state: has the executions that have not ended.
        endings: write the outcomes of executions that have left the state.
        memories: of dialogs.
    """

    def __init__(
        self,
        writer: Writer,
        state: JournalState,
        endings: Endings,
        memories: MemoryTable,
    ) -> None:
        self._writer = writer
        self._state = state
        self._endings = endings
        self._memories = memories

    async def find(self, execution: str) -> Record | None:
        """As `JournalAdmin.find`."""
        record = self._find_in_memory(execution)
        if record is None:
            record = await self._writer.run(
                lambda connection: read_settled_one(connection, execution)
            )
        # It may have been retried before the file was read.
        return record or self._find_in_memory(execution)

    def _find_in_memory(self, execution: str) -> Record | None:
        row = self._state.find(execution)
        if row is None:
            return self._endings.find(execution)
        return None if row.pending else self._state.record(row)

    async def search(self, query: Query) -> list[Record]:
        """As `JournalAdmin.search`."""
        rows = self._state.search(query)
        found = {record.execution: record for record in self._endings.search(query)}
        for number, row in enumerate(rows):
            if number % SEARCH_WINDOW == SEARCH_WINDOW - 1:
                await asyncio.sleep(0)  # others may run
            found[row.execution.id] = self._state.record(row)
        if may_be_settled(query):  # the file comes last: what ends meanwhile is not missed
            found |= {record.execution: record for record in await self._search_settled(query)}
        records = sorted(found.values(), key=lambda record: record.accepted_at, reverse=True)
        return records[: query.limit]

    async def _search_settled(self, query: Query) -> list[Record]:
        """Read the executions that have ended, in parts: commits are in between."""

        def read(connection: JournalConnection) -> Part:
            return read_part(connection, replace(query, limit=query.limit - len(found)), before)

        found: list[Record] = []
        before: int | str | None = None
        while len(found) < query.limit:
            part = await self._writer.run(read)
            found += part.records
            before = part.before
            if before is None:
                break
        return found

    async def retry(self, execution: str, *, fresh: bool) -> Record:
        """As `JournalAdmin.retry`."""
        record = await self.find(execution)
        if record is None or not record.retryable or record.outcome is None:
            raise OperationNotAllowed(why_not_retried(execution, record))
        row = await self._read_parked(execution, why_not_retried)
        self._state.revive(row, fresh=fresh)
        if fresh:
            self._writer.write(schema.DELETE_EFFECTS, (row.number,))
        cipher = self._writer.cipher
        for effect in row.effects.values():
            self._writer.write(schema.RECORD_EFFECT, schema.effect_values(row, effect, cipher))
        result = row.result and schema.sealed_result(row, row.result, cipher)
        values = (row.completion_tried, result, schema.history_value(row, cipher), row.number)
        await self._writer.write(schema.RETRY, values, power=True)
        return row.record()

    async def _read_parked(
        self, execution: str, why_not: Callable[[str, None], str]
    ) -> ExecutionRow:
        """Read an execution that was parked, unless it was dropped meanwhile."""
        await self._writer.write(schema.NO_CHANGE, ())  # its outcome may be on its way to the file
        rows = await self._writer.run(lambda connection: read_rows(connection, "id = ?", execution))
        if not rows:
            raise OperationNotAllowed(why_not(execution, None))
        return rows[0]

    async def drop(self, execution: str) -> Record:
        """As `JournalAdmin.drop`."""
        waiting = self._state.find(execution)
        if waiting is None or waiting.pending:
            record = await self.find(execution)
            if record is None or not record.retryable:
                raise OperationNotAllowed(why_not_dropped(execution, record))
            row = await self._read_parked(execution, why_not_dropped)
            self._writer.write(schema.SAVE_LAST_NUMBER, ())
            self._writer.write(schema.DELETE_EFFECTS, (row.number,))
            await self._writer.write(schema.DELETE, (row.number,), power=True)
            return record
        result = Failure("dropped").result()
        row, ended = self._state.drop(execution, result)
        if ended:
            await self._endings.end(row, DROPPED)
            return row.settled_record(DROPPED)
        values = (
            schema.sealed_result(row, result, self._writer.cipher),
            result.code,
            row.result_recorded_at,
            schema.history_value(row, self._writer.cipher),
            row.number,
        )
        await self._writer.write(schema.RECORD_DROPPED, values, power=True)
        return row.record()

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        """As `JournalPrivacy.stored_inputs`."""
        await self._writer.write(schema.NO_CHANGE, ())  # its call may be on its way to the file
        return await self._writer.run(lambda connection: read_inputs(connection, execution))

    async def rekey(self, keys: JournalKeys, after: str) -> Rekeyed:
        """As `JournalAdmin.rekey`. At the end, the write-ahead log is emptied."""
        rekeyed = await self._writer.run(lambda connection: rekey_part(connection, keys, after))
        if not rekeyed.after:
            await self._writer.run(checkpoint)
            await self._writer.run(empty_log)
        return rekeyed

    async def forget(self, dialog: int) -> Forgotten:
        """As `JournalAdmin.forget`. The write-ahead log, with earlier versions, is emptied."""
        unfinished = self._state.search(Query(dialog=dialog, limit=ALL))
        refuse_to_forget(dialog, [row.execution.id for row in unfinished])
        await self._writer.write(schema.NO_CHANGE, ())  # outcomes may be on their way to the file
        ended = await self._search_settled(Query(dialog=dialog, limit=ALL))
        self._writer.write(schema.SAVE_LAST_NUMBER, ())
        for record in ended:
            self._writer.write(schema.DELETE_DIALOG_EFFECTS, (record.execution,))
            self._writer.write(schema.DELETE_DIALOG_EXECUTION, (record.execution,))
        memories = await self._memories.forget(dialog)
        await self._writer.run(checkpoint)
        await self._writer.run(empty_log)
        return Forgotten(len(ended), memories)
