"""I17: what must hold of the memories of dialogs."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vertexkit.execution import MEMORY_UPDATE, EffectState
from vertexkit.journal.protocol import Record

Memories: TypeAlias = Mapping[int, Mapping[str, int]]
"""The values of each dialog, by the dialogs' numbers."""
NAME = "number.{}"
"""Name of the value that an execution under test keeps; no other one changes it."""
COUNT = "count"
"""Name of the value that all executions of a dialog count up."""
USED = "test_memory_used"
"""The log event with which a handler under test reports what it has read or written."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a handler has read from the memory, in one run."""

    execution: str
    position: int
    """Of the read in its program."""
    value: int | None


@dataclass(slots=True)
class RememberedNumbers:
    """What handlers have written to memories and read from them."""

    confirmed: dict[str, int] = field(default_factory=dict)
    """By execution, the newest number whose write was confirmed to the handler."""
    recalled: dict[tuple[str, int], set[int | None]] = field(default_factory=dict)
    """By execution and position, what its runs have read."""

    def write(self, execution: str, number: int) -> None:
        """A write was confirmed; a later run repeats the older ones."""
        self.confirmed[execution] = max(number, self.confirmed.get(execution, number))

    def read(self, found: Recalled) -> None:
        """A handler has read its number."""
        self.recalled.setdefault((found.execution, found.position), set()).add(found.value)

    @classmethod
    def logged(cls, lines: Iterable[Mapping[str, Any]]) -> "RememberedNumbers":
        """Return what handlers have reported, from the lines of a log."""
        seen = cls()
        for line in lines:
            if line["event"] != USED:
                continue
            if line["kept"]:
                seen.write(line["execution"], line["position"])
            else:
                seen.read(Recalled(line["execution"], line["position"], line["value"]))
        return seen

    def clear(self) -> None:
        """The power was cut: what was not synced may be lost."""
        self.confirmed.clear()
        self.recalled.clear()


def none_lost(seen: RememberedNumbers, memories: Memories, unlike: frozenset[str]) -> list[str]:
    """I17. A write that was confirmed to a handler is in the journal; every run reads the same.

    Args:
        seen: of all handlers.
        memories: as the journal has them.
        unlike: executions that an operator has dropped or started again.
    """
    stored = {name: value for memory in memories.values() for name, value in memory.items()}
    wrongs = [
        f"I17: {execution} has kept {number}, and the memory has {stored.get(NAME.format(execution))}"
        for execution, number in seen.confirmed.items()
        if execution not in unlike and stored.get(NAME.format(execution), -1) < number
    ]
    return wrongs + [
        f"I17: {execution} has read {values} from the memory at its position {position}"
        for (execution, position), values in seen.recalled.items()
        if execution not in unlike and len(values) > 1
    ]


def report_use(found: Recalled, *, kept: bool = False) -> None:
    """Log that a number was read, or written; called by handlers in other processes."""
    line = {"event": USED, "execution": found.execution, "position": found.position}
    sys.stdout.write(json.dumps({**line, "value": found.value, "kept": kept}) + "\n")
    sys.stdout.flush()


def counted_once(records: Iterable[Record], memories: Memories) -> list[str]:
    """I17. Each update of a memory that is in the journal has changed it once.

    Args:
        records: of all executions, with their dialogs.
        memories: as the journal has them.
    """
    updates: Counter[int] = Counter()
    for record in records:
        if record.dialog is not None:
            updates[record.dialog] += sum(
                effect.kind == MEMORY_UPDATE + COUNT and effect.state is EffectState.CONFIRMED
                for effect in record.effects
            )
    counts = {dialog: memory.get(COUNT, 0) for dialog, memory in memories.items()}
    return [
        f"I17: dialog {dialog} has counted {counts.get(dialog, 0)}, after {updates[dialog]} updates"
        for dialog in sorted(updates.keys() | counts.keys())
        if counts.get(dialog, 0) != updates[dialog]
    ]
