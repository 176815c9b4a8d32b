"""Memories of dialogs that a process keeps: all of them, or those that were used last."""

from collections import OrderedDict
from itertools import count
from typing import NamedTuple

from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, MemoryRecord

ROW_BYTES = 500
"""What a memory takes in addition to its values."""


class _Kept(NamedTuple):
    memory: DialogMemory
    changed: float
    """When it was changed, on the clock by which memories expire."""
    changed_at: float
    """The same in Unix seconds."""


class Memories:
    """Memories of dialogs, up to a size; those that were not used for longest are removed first.

    Args:
        limit: their size in bytes.
        retention: seconds after its last change for which a memory is kept.
    """

    def __init__(self, limit: int, retention: float) -> None:
        self._limit = limit
        self._retention = retention
        self._kept: OrderedDict[DialogKey, _Kept] = OrderedDict()
        self._size = 0
        self._versions = count(1)

    def read(self, key: DialogKey, now: float) -> DialogMemory | None:
        """Return the memory of a dialog; None if it is not here.

        Args:
            key: of the dialog.
            now: on the clock by which memories expire.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        if kept.changed + self._retention <= now:
            return DialogMemory(version=kept.memory.version)
        return kept.memory

    def add(self, key: DialogKey, values: bytes, changed: float, changed_at: float) -> None:
        """Add a stored memory, unless it is here already.

        Args:
            key: of the dialog.
            values: JSON; empty: nothing is stored of this dialog.
            changed: when it was changed, on the clock by which memories expire.
            changed_at: the same in Unix seconds.
        """
        if key not in self._kept:
            self._put(key, values, changed, changed_at)

    def change(self, key: DialogKey, memory: DialogMemory, now: float, unix: float) -> int | None:
        """Replace the memory of a dialog; return its new version, or None if it has another one.

        Args:
            key: of the dialog.
            memory: the new values, and the version that they replace.
            now: on the clock by which memories expire.
            unix: the same in Unix seconds.
        """
        kept = self._kept.get(key)
        if (kept.memory.version if kept is not None else 0) != memory.version:
            return None
        return self._put(key, memory.values, now, unix)

    def _put(self, key: DialogKey, values: bytes, changed: float, changed_at: float) -> int:
        self.remove(key)
        version = next(self._versions)
        self._kept[key] = _Kept(DialogMemory(values, version), changed, changed_at)
        self._size += len(values) + ROW_BYTES
        while self._size > self._limit and len(self._kept) > 1:
            self.remove(next(iter(self._kept)))
        return version

    def remove(self, key: DialogKey) -> None:
        """Remove the memory of a dialog, if it is here."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= len(kept.memory.values) + ROW_BYTES

    def records(self, dialog: int) -> list[MemoryRecord]:
        """Return the memories of the dialogs with this number, in each instance."""
        return [
            MemoryRecord(key, len(kept.memory.values), kept.changed_at)
            for key, kept in self._kept.items()
            if key.dialog == dialog and kept.memory.values
        ]
