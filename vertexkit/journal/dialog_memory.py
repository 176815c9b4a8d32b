"""The memory of dialogs: what blocks keep from one execution of a dialog to the next."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic_core import from_json, to_json

from vertexkit.token import Claims

MEMORY_LIMIT_BYTES = 64 * 1024
"""Largest memory of one dialog, as JSON."""


@dataclass(frozen=True, slots=True)
class DialogKey:
    """Identifies a dialog, by the claims of its tokens. They are not verified unless keys are set."""

    instance: str
    """Instance of the platform; empty if the token does not name it."""
    dialog: int
    """Id of the dialog in the V1 API."""

    def __str__(self) -> str:
        return f"{self.instance}/{self.dialog}"

    @classmethod
    def of(cls, claims: Claims | None) -> "DialogKey | None":
        """Return the key of a token's dialog; None if the token does not contain the dialog's id."""
        if claims is None or claims.dialog_id is None:
            return None
        return cls(claims.instance or "", claims.dialog_id)

    @classmethod
    def parse(cls, text: str) -> "DialogKey":
        """Read what `str` of a key returns."""
        instance, _, dialog = text.rpartition("/")
        return cls(instance, int(dialog))


@dataclass(frozen=True)
class DialogMemory:
    """The memory of a dialog at one moment."""

    values: bytes = field(default=b"", repr=False)
    """A JSON object: the values by their names. Empty: there are none."""
    version: int = 0
    """A number that each change replaces; 0: nothing is stored."""

    @cached_property
    def _by_name(self) -> dict[str, Any]:
        values: dict[str, Any] = from_json(self.values) if self.values else {}
        return values

    def get(self, name: str) -> bytes:
        """Return a value as JSON; empty if there is none of this name."""
        if name not in self._by_name:
            return b""
        return to_json(self._by_name[name], inf_nan_mode="constants")

    def changed(self, name: str, value: bytes) -> "DialogMemory":
        """Return the memory, of the same version, with another value of a name.

        Args:
            name: of the value.
            value: JSON; empty: the name has no value any more.
        """
        values = dict(self._by_name)
        values.pop(name, None)
        if value:
            values[name] = from_json(value)
        encoded = to_json(values, inf_nan_mode="constants") if values else b""
        return DialogMemory(encoded, self.version)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of a dialog."""

    executions: int
    """Number of executions."""
    memories: int
    """Number of memories: one for each instance of the platform."""


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """The memory of a dialog as operators see it."""

    key: DialogKey
    size: int
    """Bytes of its values."""
    changed_at: float
    """Time of the last change, in Unix seconds."""
