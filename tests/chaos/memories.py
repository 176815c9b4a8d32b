"""I17: what must hold of the memories of dialogs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Memories: TypeAlias = Iterable[Mapping[str, int]]
NAME = "number.{}"
"""Name of the value that an execution under test keeps; no other one changes it."""


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

    def clear(self) -> None:
        """The power was cut: what was not synced may be lost."""
        self.confirmed.clear()
        self.recalled.clear()


def none_lost(seen: RememberedNumbers, memories: Memories, unlike: frozenset[str]) -> list[str]:
    """I17. A write that was confirmed to a handler is in the journal; every run reads the same.

    Args:
        seen: of all handlers.
        memories: of all dialogs, as the journal has them.
        unlike: executions that an operator has dropped or started again.
    """
    stored = {name: value for memory in memories for name, value in memory.items()}
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
