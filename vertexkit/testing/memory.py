"""The memory of a dialog, as a test seeds and inspects it."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from pydantic_core import from_json

from vertexkit.clock import Clock
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.state.memories import Memories
from vertexkit.serialization import ANYTHING, dump_json
from vertexkit.settings import JournalSettings

INSTANCE = "demo"
"""Instance of the platform that the dialogs are of."""
MEMORY_BYTES = 64 * 1024 * 1024
"""Size of the memories of all dialogs of a test."""


def make_memories(settings: JournalSettings) -> Memories:
    """Make the memories of all dialogs of a test."""
    return Memories(MEMORY_BYTES, settings.memory_retention)


def memory_key(dialog_id: int | None) -> DialogKey:
    """Return the key of the dialog that all calls are made from.

    Raises:
        ValueError: each call is made from a new dialog.
    """
    if dialog_id is None:
        raise ValueError(
            "each call is made from a new dialog, which has no memory yet: use "
            "`dialog = fake_dialog.in_dialog(1)`"
        )
    return DialogKey(INSTANCE, dialog_id)


class FakeMemory(MutableMapping[str, Any]):
    """What `ctx.memory` of a dialog has, as a mapping; values are as JSON returns them.

    Args:
        memories: of all dialogs of the test.
        key: of the dialog.
        clock: by which memories expire.
    """

    def __init__(self, memories: Memories, key: DialogKey, clock: Clock) -> None:
        self._memories = memories
        self._key = key
        self._clock = clock

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._change(name, dump_json(ANYTHING, value, by_alias=False))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._change(name, b"")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return f"<memory of dialog {self._key.dialog}: {self._values()!r}>"

    def _stored(self) -> DialogMemory:
        return self._memories.read(self._key, self._clock.now()) or DialogMemory()

    def _values(self) -> dict[str, Any]:
        stored = self._stored().values
        values: dict[str, Any] = from_json(stored) if stored else {}
        return values

    def _change(self, name: str, value: bytes) -> None:
        changed = self._stored().changed(name, value)
        self._memories.change(self._key, changed, self._clock.now(), self._clock.unix())
