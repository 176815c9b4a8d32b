"""The limits that a journal enforces over all processes that share it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIMIT = "limit"
"""What `Query.waiting_for` calls any of the limits."""
RATE = "rate"
"""The limit of how many runs start in a period."""
CONCURRENCY = "fleet_concurrency"
"""The limit of how many handlers run at once."""
LIMITS = frozenset({RATE, CONCURRENCY})


def is_name_of(name: str, limit: str) -> bool:
    """Return whether `Query.waiting_for` has a name of this limit; an empty one has no name."""
    return limit != "" and name in {limit, LIMIT}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most a number of runs start in any period of this length: a sliding window."""

    number: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.number} in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """The limits of a block. They apply to the executions of each key separately."""

    rate: Rate | None = None
    """None: there is no limit."""
    running: int | None = None
    """Maximum number of handlers that run at once; None: there is no limit."""
    max_wait: float = float("inf")
    """Seconds since the call after which an execution that has not started fails."""


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """The limits of an app."""

    blocks: Mapping[str, BlockLimits] = field(default_factory=dict)
    """By the block's name; blocks without limits are not in it."""
    running: int | None = None
    """Maximum number of handlers of all blocks that run at once; None: there is no limit."""


NO_LIMITS = BlockLimits()
