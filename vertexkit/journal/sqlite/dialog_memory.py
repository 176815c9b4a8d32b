"""The memories of dialogs in the file; those that were used last are also in memory."""

from vertexkit.clock import Clock
from vertexkit.execution import Effect
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, MemoryRecord
from vertexkit.journal.encryption import memory_place
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.deletion import WORK_PER_STEP, commit_without_sync, row_work
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.memories import Memories
from vertexkit.journal.state.state import JournalState

MAX_CACHED_BYTES = 16 * 1024 * 1024
"""Size of the memories of dialogs that are also in memory."""


class MemoryTable:
    """Reads and changes the memories of dialogs.

    A change is made in memory first, and then written: this process alone has the file open.

    Args:
        writer: of the file.
        state: has the executions that change them.
        clock: of the process.
        age: of the journal: memories expire by it.
        retention: seconds after its last change for which a memory is kept.
    """

    def __init__(
        self,
        writer: Writer,
        state: JournalState,
        clock: Clock,
        age: JournalAge,
        retention: float,
    ) -> None:
        self._writer = writer
        self._state = state
        self._clock = clock
        self._age = age
        self._retention = retention
        self._cached = Memories(MAX_CACHED_BYTES, retention)

    async def read(self, key: DialogKey) -> DialogMemory:
        """As `Journal.read_memory`."""
        while (memory := self._cached.read(key, self._age.now())) is None:
            await self._load(key)
        return memory

    async def _load(self, key: DialogKey) -> None:
        """Read a memory into the cache.

        A change of it may still wait for its commit, and reads come before writes: so a write that
        is committed after it comes first.
        """
        await self._writer.write(schema.NO_CHANGE, ())
        stored = await self._writer.run(lambda connection: read_memory(connection, key))
        self._cached.add(key, *stored)

    async def write(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        """As `Journal.write_memory`."""
        await self.read(key)
        self._state.leased(lease)
        now, unix = self._age.now(), self._clock.unix()
        version = self._cached.change(key, memory, now, unix)
        if version is None:
            return None
        row, effect = self._state.record_effect(lease, effect)
        # Both are in the next commit: nothing else runs between them.
        self._writer.write(
            schema.RECORD_EFFECT, schema.effect_values(row, effect, self._writer.cipher)
        )
        place = (key.instance, key.dialog)
        if memory.values:
            stored = self._writer.cipher.seal(memory_place(key), memory.values)
            values = (*place, unix, now, stored)
            await self._writer.write(schema.SAVE_MEMORY, values)
        else:
            await self._writer.write(schema.DELETE_MEMORY, place)
        return version

    async def records(self, dialog: int) -> list[MemoryRecord]:
        """As `JournalAdmin.memories`."""
        await self._writer.write(schema.NO_CHANGE, ())  # as in `_load`
        return await self._writer.run(lambda connection: read_records(connection, dialog))

    async def forget(self, dialog: int) -> int:
        """Delete the memories of the dialogs with this number; return how many there were."""
        records = await self.records(dialog)
        for record in records:
            self._cached.remove(record.key)
        await self._writer.write(schema.DELETE_MEMORIES, (dialog,), power=True)
        return len(records)

    async def delete_expired(self) -> bool:
        """Delete some of the memories that are too old; return whether there may be more."""
        before = self._age.now() - self._retention
        deleted = await self._writer.run(lambda connection: delete_expired(connection, before))
        for key in deleted:
            self._cached.remove(key)
        return bool(deleted)


def read_memory(connection: JournalConnection, key: DialogKey) -> tuple[bytes, float, float]:
    """Read the values of a memory, when it was changed by the journal's age, and the time of it."""
    line = connection.execute(schema.READ_MEMORY, (key.instance, key.dialog)).fetchone()
    if line is None:
        return b"", 0.0, 0.0
    value = connection.cipher.open(memory_place(key), line["value"])
    return value, line["changed_age"], line["changed_at"]


def read_records(connection: JournalConnection, dialog: int) -> list[MemoryRecord]:
    """Read the memories of the dialogs with this number."""
    return [
        MemoryRecord(DialogKey(line["instance"], line["dialog"]), line["size"], line["changed_at"])
        for line in connection.execute(schema.READ_MEMORIES, (dialog,))
    ]


def delete_expired(connection: JournalConnection, before: float) -> list[DialogKey]:
    """Delete some of the memories that were not changed since an age of the journal."""
    found = connection.execute(schema.SELECT_EXPIRED_MEMORIES, (before, WORK_PER_STEP)).fetchall()
    keys, work = list[DialogKey](), 0
    for line in found:
        keys.append(DialogKey(line["instance"], line["dialog"]))
        work += row_work(line["size"])
        if work >= WORK_PER_STEP:
            break
    if keys:
        commit_without_sync(connection, lambda: _delete(connection, keys))
    return keys


def _delete(connection: JournalConnection, keys: list[DialogKey]) -> None:
    places = [(key.instance, key.dialog) for key in keys]
    connection.executemany(schema.DELETE_MEMORY, places)
